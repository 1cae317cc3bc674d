-- A list is merged from runs: of one status, operation and dialect each, in the list's order (search.py).
-- `path` is there to be checked without touching the row. What has ended can be entered by its path too.

DROP INDEX lists;
DROP INDEX paths;
DROP INDEX operations;
DROP INDEX endings;
CREATE INDEX lists ON transactions (tenant, status, operation, dialect, created_at, key, path);
CREATE INDEX paths ON transactions (tenant, path, status, operation, dialect, created_at) WHERE status >= 2;
