-- Whose turn it is goes round the tenants of an upstream, and by priority within each. A process of the version
-- before finds what it claims all the same, more slowly.
CREATE INDEX lines ON restante.ready (upstream, tenant, priority DESC, due_at, key) WHERE hold IS NULL;
DROP INDEX restante.turns;
