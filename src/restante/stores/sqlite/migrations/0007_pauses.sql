-- Upstreams whose turn does not come.
CREATE TABLE pauses (
    upstream TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
