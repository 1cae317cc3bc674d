-- A list by one of these is a look-up, however rare it is. The row's key follows in each index by itself.
-- A transaction enters each once and moves in none; what is not finished is found in `turns`.

CREATE INDEX paths ON transactions (tenant, path, created_at);
CREATE INDEX operations ON transactions (tenant, operation, created_at);
CREATE INDEX endings ON transactions (tenant, status, created_at) WHERE status >= 2;
