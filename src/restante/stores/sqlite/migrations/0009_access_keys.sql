-- Keys that callers have. The key itself is nowhere, only an HMAC of it.
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
