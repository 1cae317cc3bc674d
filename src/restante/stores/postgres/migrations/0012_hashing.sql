-- `least`: the migration that a program must know of to work here; who does not look is refused by a check of
-- nodes.version. `former_until`: until then there may be idempotency keys that were hashed otherwise than they are now.
ALTER TABLE restante.meta
    ADD COLUMN least integer NOT NULL DEFAULT 0, ADD COLUMN former_until bigint NOT NULL DEFAULT 0;
-- Which migration a server's program knows of, and whether it has the keys of what is sealed.
ALTER TABLE restante.nodes ADD COLUMN version integer, ADD COLUMN sealing boolean NOT NULL DEFAULT false;

-- From now on idempotency keys are hashed otherwise: under the store's own secret or, with a mark, under the keys of
-- which it is one. Only where no process is there that would go on as before: any, or one without the keys; who enters
-- meanwhile waits, and finds it done.
CREATE FUNCTION restante.rehash(me integer, mark bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE restante.nodes;
    UPDATE restante.nodes SET sealing = true WHERE node = me AND mark IS NOT NULL;
    IF EXISTS (SELECT 1 FROM restante.nodes WHERE mark IS NULL OR NOT sealing) THEN
        RETURN;
    END IF;
    LOCK TABLE restante.idempotency IN SHARE MODE;  -- of those who were killed, something may still be under way
    UPDATE restante.meta
    SET least = 12, sealing = coalesce(mark, sealing), former_until = (SELECT coalesce(max(expires_at), 0) FROM restante.idempotency)
    WHERE CASE WHEN mark IS NULL THEN least < 12 ELSE sealing IS NULL END;
    IF FOUND THEN
        ALTER TABLE restante.nodes DROP CONSTRAINT IF EXISTS too_old,
            ADD CONSTRAINT too_old CHECK (coalesce(version, 0) >= 12);
    END IF;
END $$;

SELECT restante.rehash(0, NULL);
