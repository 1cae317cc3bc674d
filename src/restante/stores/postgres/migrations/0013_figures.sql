-- What went on, as numbers, counted from the feed.
CREATE TABLE restante.figures (
    tenant text COLLATE "C" NOT NULL,   -- '*': of all
    minutes smallint NOT NULL,          -- 1 or 60
    at bigint NOT NULL,                 -- the first minute, since 1970
    upstream text COLLATE "C" NOT NULL,
    what smallint NOT NULL,             -- core.figures.Counted, and a step
    count bigint NOT NULL,
    PRIMARY KEY (tenant, minutes, at, upstream, what)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX figure_ages ON restante.figures (minutes, at);

-- How far the feed was counted. Numbers are given before their commits, so a number may come into sight after a
-- greater one; up to `upto` that is over once every transaction under `upto_xid` is.
CREATE TABLE restante.counted (
    place bigint NOT NULL,
    upto bigint NOT NULL,
    upto_xid xid8 NOT NULL
);
INSERT INTO restante.counted (place, upto, upto_xid) VALUES (0, 0, '0');
