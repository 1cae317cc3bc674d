-- The URL that is told of a transaction's end, where its request named one. A process of the version before leaves
-- it empty, and what it writes is told to nobody and is not in the feed.
SET LOCAL lock_timeout = '500ms';
ALTER TABLE restante.transactions ADD COLUMN callback text;

CREATE TABLE restante.endpoints (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    tenant text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    content bytea NOT NULL          -- msgpack: core.endpoint.Endpoint
);

CREATE TABLE restante.deliveries (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    tenant text COLLATE "C" NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    lane text COLLATE "C" NOT NULL,
    url text,                       -- NULL: the endpoint's
    key bigint NOT NULL,            -- 0: it tells of no transaction
    transaction_id uuid,
    sequence integer NOT NULL,
    body bytea,                     -- NULL: made of the event
    state smallint NOT NULL DEFAULT 0,
    attempt integer NOT NULL DEFAULT 0,
    tried integer NOT NULL DEFAULT 0,
    due_at bigint,
    created_at bigint NOT NULL,
    ended_at bigint,
    code integer
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX lanes ON restante.deliveries (lane, due_at, number) WHERE state < 2;
CREATE INDEX delivery_lists ON restante.deliveries (endpoint, state, created_at, number);
CREATE INDEX delivery_events ON restante.deliveries (key, endpoint, sequence);
CREATE INDEX delivery_ages ON restante.deliveries (created_at);

CREATE TABLE restante.attempts (
    delivery bigint NOT NULL,
    number integer NOT NULL,
    at bigint NOT NULL,
    duration bigint NOT NULL,
    carried text NOT NULL,
    reason text NOT NULL,
    code integer,
    answer bytea NOT NULL,          -- the body's beginning
    PRIMARY KEY (delivery, number)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- One row for each commit of a change. Its place is that of its commit's number, and only rows whose number is
-- under those of all commits that are still under way are read: so none comes in front of one that was read.
CREATE TABLE restante.feed (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    tenant text COLLATE "C" NOT NULL,
    key bigint NOT NULL,
    id uuid NOT NULL,               -- the transaction's
    behind integer NOT NULL,        -- its events with sequences over this one,
    last integer NOT NULL,          -- up to this one
    at bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX feeds ON restante.feed (tenant, xid, number);
