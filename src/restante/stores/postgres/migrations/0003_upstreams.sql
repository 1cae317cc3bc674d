-- Upstreams whose turn does not come.
CREATE TABLE restante.pauses (
    upstream text COLLATE "C" PRIMARY KEY
);

-- How an upstream's `concurrency` is divided over the processes that run what is sent to it. A row is replaced as
-- a whole, by whoever has seen its last version.
CREATE TABLE restante.shares (
    upstream text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    nodes integer[] NOT NULL,
    slots integer[] NOT NULL        -- of each node, in the same order
);
