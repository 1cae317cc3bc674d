-- What went on, as numbers, counted from the feed up to `place`.
CREATE TABLE figures (
    tenant TEXT NOT NULL,     -- '*': of all
    minutes INTEGER NOT NULL, -- 1 or 60
    at INTEGER NOT NULL,      -- the first minute, since 1970
    upstream TEXT NOT NULL,
    what INTEGER NOT NULL,    -- core.figures.Counted, and a step
    count INTEGER NOT NULL,
    PRIMARY KEY (tenant, minutes, at, upstream, what)
) STRICT, WITHOUT ROWID;

CREATE INDEX figure_ages ON figures (minutes, at);

CREATE TABLE counted (
    place INTEGER NOT NULL    -- the number of the last entry of the feed that was counted
) STRICT;

INSERT INTO counted (place) VALUES (0);
