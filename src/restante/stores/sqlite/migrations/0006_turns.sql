-- Whose turn it is goes round the tenants of an upstream, and by priority within each.

DROP INDEX turns;
CREATE INDEX turns ON transactions (upstream, tenant, priority DESC, due_at, key, phase, status) WHERE status < 2;
