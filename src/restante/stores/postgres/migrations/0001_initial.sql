-- Moments are microseconds since 1970, UTC. The meaning of the small integers is in stores/codes.py.
-- What changes with a transaction's life (status, phase, due_at …) has no index, so that a change rewrites
-- a row in its page and touches nothing else (HOT); whose turn it is and what has ended stand apart.
-- Text has collation "C": compared as bytes, nowhere by a language.
-- What is written once and deleted at its end is vacuumed for every twentieth row, so that a table stays about as
-- large as what is in it.

CREATE TABLE restante.meta (
    secret bytea NOT NULL,          -- this store's own 16 bytes, for ids
    probes bigint NOT NULL          -- counts the writes that only ask whether a write can be made
);
CREATE UNIQUE INDEX one_meta ON restante.meta ((true));

-- Row keys, given out in blocks: a process takes one number and has as many keys from there on.
CREATE SEQUENCE restante.keys AS bigint INCREMENT BY 1024 MINVALUE 1 MAXVALUE 281474976709631;

-- The processes on this database. A process that does not renew its lease, on the database's clock, holds
-- nothing any more. `hold` and `reader` below are numbers of which the upper half is the process's.
CREATE SEQUENCE restante.node_numbers AS integer;
CREATE TABLE restante.nodes (
    node integer PRIMARY KEY,
    lease_until timestamptz NOT NULL
);

CREATE TABLE restante.transactions (
    key bigint PRIMARY KEY,
    id uuid NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    status smallint NOT NULL,
    outcome smallint,
    phase smallint NOT NULL,
    sequence integer NOT NULL,
    attempt integer NOT NULL,
    doubtful integer NOT NULL,
    dialect smallint NOT NULL,
    method text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    query text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,
    upstream text COLLATE "C" NOT NULL,
    priority integer NOT NULL,
    tracking_id text COLLATE "C",
    due_at bigint,
    deadline bigint NOT NULL,
    expires_at bigint NOT NULL,
    sweep_at bigint NOT NULL,
    result_status smallint,
    reading smallint NOT NULL,
    retry_of uuid,
    reader bigint                   -- the token of the last reservation, with its process's number
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX sweeps ON restante.transactions (sweep_at, key);
CREATE INDEX lists ON restante.transactions (tenant, created_at, key);
CREATE INDEX trackings ON restante.transactions (tenant, tracking_id, created_at, key)
    WHERE tracking_id IS NOT NULL;
-- A path may be longer than an index entry.
CREATE INDEX paths ON restante.transactions (tenant, hashtextextended(path, 0), created_at, key);
CREATE INDEX operations ON restante.transactions (tenant, operation, created_at, key);
CREATE INDEX reservations ON restante.transactions (reader) WHERE reading = 1;

-- What is not finished, and who holds it. Small, and written all the time.
CREATE TABLE restante.ready (
    key bigint PRIMARY KEY,
    upstream text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    priority integer NOT NULL,
    due_at bigint,                  -- of what is held: when it was due
    created_at bigint NOT NULL,
    hold bigint                     -- a new one for each acquisition; NULL: nobody's
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX turns ON restante.ready (upstream, priority DESC, due_at, key) WHERE hold IS NULL;
CREATE INDEX holds ON restante.ready (hold) WHERE hold IS NOT NULL;
CREATE INDEX openings ON restante.ready (tenant, created_at, key);

-- What has ended, for lists by status. Written once.
CREATE TABLE restante.endings (
    tenant text COLLATE "C" NOT NULL,
    status smallint NOT NULL,
    created_at bigint NOT NULL,
    key bigint NOT NULL,
    PRIMARY KEY (tenant, status, created_at, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE restante.events (
    key bigint NOT NULL,
    sequence integer NOT NULL,
    kind smallint NOT NULL,
    message text NOT NULL,
    data text,                      -- a JSON object; NULL: the upstream's answer itself
    status smallint NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (key, sequence)
) WITH (
    autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05
);

CREATE TABLE restante.requests (
    key bigint PRIMARY KEY,
    headers bytea NOT NULL,         -- msgpack: pairs of raw bytes
    size bigint NOT NULL,
    body bytea,                     -- NULL: in chunks
    scope bytea                     -- its entry in idempotency
) WITH (
    autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05
);

CREATE TABLE restante.results (
    key bigint PRIMARY KEY,
    status smallint NOT NULL,
    headers bytea NOT NULL,
    size bigint NOT NULL,
    body bytea,                     -- NULL: in chunks
    attempt integer NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05
);

CREATE TABLE restante.chunks (
    key bigint NOT NULL,
    attempt integer NOT NULL,       -- 0: the request's body
    position integer NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (key, attempt, position)
) WITH (
    autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05
);
ALTER TABLE restante.chunks ALTER COLUMN data SET STORAGE EXTERNAL;

-- Bodies in chunks that nothing refers to: not yet, or not any more; and whose they are to refer to or drop.
CREATE TABLE restante.loose (
    key bigint NOT NULL,
    attempt integer NOT NULL,
    node integer NOT NULL,
    dropping boolean NOT NULL,      -- pieces are going already: nothing may refer to it any more
    PRIMARY KEY (key, attempt)
);

CREATE TABLE restante.idempotency (
    scope bytea PRIMARY KEY,
    key bigint NOT NULL,
    fingerprint bytea NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
