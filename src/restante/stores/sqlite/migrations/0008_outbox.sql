-- The URL that is told of a transaction's end, where its request named one.
ALTER TABLE transactions ADD COLUMN callback TEXT;

CREATE TABLE endpoints (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    version INTEGER NOT NULL,
    content BLOB NOT NULL     -- msgpack: core.endpoint.Endpoint
) STRICT;

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
CREATE UNIQUE INDEX delivery_ids ON deliveries (id);
CREATE INDEX lanes ON deliveries (lane, due_at, number) WHERE state < 2;
CREATE INDEX delivery_lists ON deliveries (endpoint, state, created_at, number);
CREATE INDEX delivery_events ON deliveries (key, endpoint, sequence);
CREATE INDEX delivery_ages ON deliveries (created_at);

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

-- One row for each commit of a change, in the order of the commits. The newest row always stays, so that no
-- number is given twice.
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
