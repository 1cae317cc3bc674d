CREATE TABLE access_keys (
    id TEXT PRIMARY KEY,      -- in the order of time
    digest BLOB NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    scopes TEXT NOT NULL,     -- separated by spaces
    created_at INTEGER NOT NULL,
    expires_at INTEGER,       -- NULL: never
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX access_keys_of ON access_keys (tenant, id);

CREATE TABLE attempts (
    delivery INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    duration INTEGER NOT NULL,
    carried TEXT NOT NULL,
    reason TEXT NOT NULL,
    code INTEGER,
    answer BLOB NOT NULL,     -- the body's beginning
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunks (
    key INTEGER NOT NULL,
    attempt INTEGER NOT NULL, -- 0: the request's body
    position INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (key, attempt, position)
) STRICT;

CREATE TABLE counted (
    place INTEGER NOT NULL    -- the number of the last entry of the feed that was counted
) STRICT;

CREATE INDEX deadlines ON transactions (sweep_at) WHERE status < 2;

CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL,         -- 16 bytes
    tenant TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    lane TEXT NOT NULL,
    url TEXT,                 -- NULL: the endpoint's
    key INTEGER NOT NULL,     -- 0: it tells of no transaction
    transaction_id BLOB,
    sequence INTEGER NOT NULL,
    body BLOB,                -- NULL: made of the event
    state INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    tried INTEGER NOT NULL,
    due_at INTEGER,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    code INTEGER
) STRICT;

CREATE INDEX delivery_ages ON deliveries (created_at);

CREATE INDEX delivery_events ON deliveries (key, endpoint, sequence);

CREATE UNIQUE INDEX delivery_ids ON deliveries (id);

CREATE INDEX delivery_lists ON deliveries (endpoint, state, created_at, number);

CREATE TABLE endpoints (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    version INTEGER NOT NULL,
    content BLOB NOT NULL     -- msgpack: core.endpoint.Endpoint
) STRICT;

CREATE INDEX ends ON transactions (sweep_at) WHERE status >= 2;

CREATE TABLE events (
    key INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    message TEXT NOT NULL,
    data TEXT,                -- a JSON object; NULL: the upstream's answer itself
    status INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (key, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE feed (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    key INTEGER NOT NULL,
    id BLOB NOT NULL,         -- the transaction's
    behind INTEGER NOT NULL,  -- its events with sequences over this one,
    last INTEGER NOT NULL,    -- up to this one
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX feeds ON feed (tenant, number);

CREATE INDEX figure_ages ON figures (minutes, at);

CREATE TABLE figures (
    tenant TEXT NOT NULL,     -- '*': of all
    minutes INTEGER NOT NULL, -- 1 or 60
    at INTEGER NOT NULL,      -- the first minute, since 1970
    upstream TEXT NOT NULL,
    what INTEGER NOT NULL,    -- core.figures.Counted, and a step
    count INTEGER NOT NULL,
    PRIMARY KEY (tenant, minutes, at, upstream, what)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    scope BLOB PRIMARY KEY,
    key INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX lanes ON deliveries (lane, due_at, number) WHERE state < 2;

CREATE INDEX lists ON transactions (tenant, status, operation, dialect, created_at, key, path);

CREATE TABLE loose (
    key INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (key, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    secret BLOB NOT NULL,     -- this store's own 16 bytes, for ids
    probes INTEGER NOT NULL   -- counts the writes that only ask whether a write can be made
, sealing BLOB, former_until INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX paths ON transactions (tenant, path, status, operation, dialect, created_at) WHERE status >= 2;

CREATE TABLE pauses (
    upstream TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    key INTEGER PRIMARY KEY,
    headers BLOB NOT NULL,    -- msgpack: pairs of raw bytes
    size INTEGER NOT NULL,
    body BLOB,                -- NULL: in chunks
    scope BLOB                -- its entry in idempotency
) STRICT;

CREATE INDEX reservations ON transactions (key) WHERE reading = 1;

CREATE TABLE results (
    key INTEGER PRIMARY KEY,
    status INTEGER NOT NULL,
    headers BLOB NOT NULL,
    size INTEGER NOT NULL,
    body BLOB,                -- NULL: in chunks
    attempt INTEGER NOT NULL
) STRICT;

CREATE INDEX trackings ON transactions (tenant, tracking_id, created_at, key) WHERE tracking_id IS NOT NULL;

CREATE TABLE transactions (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL,         -- 16 bytes
    tenant TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    status INTEGER NOT NULL,
    outcome INTEGER,
    phase INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    doubtful INTEGER NOT NULL,
    dialect INTEGER NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    query TEXT NOT NULL,
    operation TEXT NOT NULL,
    upstream TEXT NOT NULL,
    priority INTEGER NOT NULL,
    tracking_id TEXT,
    due_at INTEGER,
    deadline INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    sweep_at INTEGER NOT NULL,
    result_status INTEGER,
    reading INTEGER NOT NULL
, retry_of BLOB, reader INTEGER NOT NULL DEFAULT 0, callback TEXT) STRICT;

CREATE INDEX turns ON transactions (upstream, tenant, priority DESC, due_at, key, phase, status) WHERE status < 2;

