-- Keys that callers have. The key itself is nowhere, only an HMAC of it.
CREATE TABLE restante.access_keys (
    id text COLLATE "C" PRIMARY KEY,        -- in the order of time
    digest bytea NOT NULL UNIQUE,
    tenant text COLLATE "C" NOT NULL,
    scopes text NOT NULL,                   -- separated by spaces
    created_at bigint NOT NULL,
    expires_at bigint,                      -- NULL: never
    revoked_at bigint
);
CREATE INDEX access_keys_of ON restante.access_keys (tenant, id);
