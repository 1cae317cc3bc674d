-- Every statement of this store, by name. Many rows come as arrays, one per column. Where a statement of the
-- SQLite store does the same, it has the same name.
-- `BETWEEN :days`, `BETWEEN :hours`: two keys, written into the text, that those in question lie between. The server
-- then opens, and locks, only the partitions in between, also where it has kept the plan. Rows are looked up one by one
-- beside it (LATERAL … OFFSET 0): a partition that was empty when the plan was made would else be read from one end to
-- the other. `:transactions` is, for the same purpose, the one partition that all of them lie in, if there is one.

-- name: accept
-- Submissions, all or (on an error) none: transaction, events, request, turn, idempotency key, and an entry in the
-- feed where its first attempt begins with it. $16: what many of them have in common, moments as from `created_at`
-- (`due_at`: from `updated_at`); $15: which of these is whose.
-- Returns the keys that became transactions. The others' idempotency key is somebody's already, or their
-- large body is being dropped.
WITH common AS MATERIALIZED (
    SELECT * FROM ROWS FROM (json_to_recordset($16::json) AS (
        tenant text, status smallint, outcome smallint, phase smallint, sequence integer, attempt integer,
        doubtful integer, dialect smallint, method text, operation text, upstream text, priority integer,
        due_at bigint, deadline bigint, expires_at bigint, sweep_at bigint, result_status smallint,
        reading smallint, retry_of uuid, turn_at bigint, behind integer, events json
    )) WITH ORDINALITY AS c (
        tenant, status, outcome, phase, sequence, attempt, doubtful, dialect, method, operation, upstream, priority,
        due_at, deadline, expires_at, sweep_at, result_status, reading, retry_of, turn_at, behind, events, place
    )
), noted AS MATERIALIZED (
    SELECT common.place, event.* FROM common CROSS JOIN LATERAL json_to_recordset(common.events) AS event (
        sequence integer, kind smallint, message text, data text, status smallint, begun boolean, created_at bigint
    )
), fresh AS MATERIALIZED (
    SELECT
        own.key, own.id, common.tenant, own.created_at, own.updated_at, common.status, common.outcome, common.phase,
        common.sequence, common.attempt, common.doubtful, common.dialect, common.method, own.path, own.query,
        common.operation, common.upstream, common.priority, own.tracking_id,
        own.updated_at + common.due_at AS due_at, own.created_at + common.deadline AS deadline,
        own.created_at + common.expires_at AS expires_at, own.created_at + common.sweep_at AS sweep_at,
        common.result_status, common.reading, common.retry_of, own.callback,
        own.created_at + common.turn_at AS turn_at, common.behind, own.headers, own.size, own.body, own.scope,
        own.fingerprint, own.hold, own.place
    FROM unnest(
        $1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::bytea[], $10::bigint[], $11::bytea[], $12::bytea[], $13::bytea[], $14::bigint[], $15::integer[]
    ) AS own (
        key, id, created_at, updated_at, path, query, tracking_id, callback, headers, size, body, scope,
        fingerprint, hold, place
    ) JOIN common ON common.place = own.place
), scoped AS (
    -- Waits for a racing first submit to be over. What is past its retention is given away.
    INSERT INTO restante.idempotency AS known (scope, key, fingerprint, created_at, expires_at)
    SELECT scope, key, fingerprint, created_at, expires_at FROM fresh WHERE scope IS NOT NULL ORDER BY scope
    ON CONFLICT (scope) DO UPDATE
    SET key = excluded.key, fingerprint = excluded.fingerprint, created_at = excluded.created_at,
        expires_at = excluded.expires_at
    WHERE known.expires_at <= excluded.created_at OR known.key = excluded.key
    RETURNING key
), bodies AS (
    DELETE FROM restante.loose USING fresh
    WHERE fresh.body IS NULL AND loose.key = fresh.key AND loose.attempt = 0 AND NOT loose.dropping
        AND (fresh.scope IS NULL OR fresh.key IN (SELECT key FROM scoped))
    RETURNING loose.key
), kept AS MATERIALIZED (
    SELECT * FROM fresh
    WHERE (scope IS NULL OR key IN (SELECT key FROM scoped))
        AND (body IS NOT NULL OR key IN (SELECT key FROM bodies))
), written AS (
    INSERT INTO restante.transactions (
        key, id, tenant, created_at, updated_at, status, outcome, phase, sequence, attempt, doubtful, dialect,
        method, path, query, operation, upstream, priority, tracking_id, due_at, deadline, expires_at,
        sweep_at, result_status, reading, retry_of, callback
    )
    SELECT
        key, id, tenant, created_at, updated_at, status, outcome, phase, sequence, attempt, doubtful, dialect,
        method, path, query, operation, upstream, priority, tracking_id, due_at, deadline, expires_at,
        sweep_at, result_status, reading, retry_of, callback
    FROM kept
), logged AS (
    INSERT INTO restante.events (key, sequence, kind, message, data, status, created_at)
    SELECT kept.key, noted.sequence, noted.kind, noted.message, noted.data, noted.status,
        noted.created_at + CASE WHEN noted.begun THEN kept.updated_at ELSE kept.created_at END
    FROM noted JOIN kept ON kept.place = noted.place
), asked AS (
    INSERT INTO restante.requests (key, headers, size, body, scope)
    SELECT key, headers, size, body, scope FROM kept
), queued AS (
    INSERT INTO restante.ready (key, upstream, tenant, priority, due_at, created_at, hold, sweep_at, begun)
    SELECT key, upstream, tenant, priority, turn_at, created_at, hold, sweep_at, status = 1 FROM kept WHERE status < 2
), ended AS (
    INSERT INTO restante.endings (tenant, status, created_at, key)
    SELECT tenant, status, created_at, key FROM kept WHERE status >= 2
), fed AS (
    INSERT INTO restante.feed (tenant, key, id, behind, last, at)
    SELECT tenant, key, id, behind, sequence, updated_at FROM kept WHERE behind IS NOT NULL
):deliveries(kept, 17)
SELECT key FROM kept

-- name: ids
SELECT key, id::text FROM restante.transactions WHERE key = ANY($1::bigint[])

-- name: owned
-- The same of those alone that are of the tenant with whom they are asked for.
SELECT
    key, id::text, tenant, created_at, updated_at, status, outcome, phase, sequence, attempt, doubtful, dialect,
    method, path, query, operation, upstream, priority, tracking_id, due_at, deadline, expires_at, sweep_at,
    result_status, reading, retry_of::text, callback
FROM unnest($1::bigint[], $2::text[]) AS w (wanted, asking) CROSS JOIN LATERAL (
    SELECT * FROM restante.transactions
    WHERE transactions.key = w.wanted AND transactions.key BETWEEN :days AND transactions.tenant = w.asking OFFSET 0
) AS t

-- name: known_scopes
SELECT scope, key, fingerprint, expires_at FROM restante.idempotency WHERE scope = ANY($1::bytea[])

-- name: delete_scopes
-- Entries that lead to nothing.
DELETE FROM restante.idempotency USING unnest($1::bytea[], $2::bigint[]) AS d (scope, key)
WHERE idempotency.scope = d.scope AND idempotency.key = d.key

-- name: make_readable
-- A replay makes an error that was read, or is being read just now, readable once more.
UPDATE restante.transactions SET reading = 0, reader = NULL WHERE reading > 0 AND key = ANY($1::bigint[])

-- name: apply_changes
-- The version check: a row moves on only from the sequence and attempt its change starts from. An attempt
-- begins only where its process still has the hold that it was given. What is no longer being sent is
-- nobody's. Returns the keys, and whether they moved (true) or were somebody else's (false).
WITH changes AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::bigint[], $2::integer[], $3::integer[], $4::smallint[], $5::smallint[], $6::smallint[],
        $7::integer[], $8::integer[], $9::integer[], $10::bigint[], $11::bigint[], $12::smallint[],
        $13::bigint[], $14::boolean[], $15::integer[], $16::bigint[]
    ) AS c (
        key, from_sequence, from_attempt, status, outcome, phase, sequence, attempt, doubtful, updated_at,
        due_at, result_status, sweep_at, begins, behind, hold
    )
), locked AS MATERIALIZED (
    -- First, so that a cancel here and a begin elsewhere wait for each other in one order. What this process holds
    -- and goes on with, nobody else begins.
    SELECT ready.key, NOT changes.begins OR ready.hold IS NOT DISTINCT FROM changes.hold AS ours
    FROM changes JOIN restante.ready ON ready.key = changes.key
    WHERE changes.begins OR changes.hold IS NULL
    ORDER BY ready.key FOR UPDATE OF ready
), moved AS (
    UPDATE restante.:transactions AS t
    SET status = c.status, outcome = c.outcome, phase = c.phase, sequence = c.sequence, attempt = c.attempt,
        doubtful = c.doubtful, updated_at = c.updated_at, due_at = c.due_at,
        result_status = c.result_status, sweep_at = coalesce(c.sweep_at, t.sweep_at)
    FROM changes AS c
    WHERE t.key = c.key AND t.sequence = c.from_sequence AND t.attempt = c.from_attempt
        AND (c.key IN (SELECT key FROM locked WHERE ours) OR NOT c.begins)
    RETURNING t.key, t.id, t.tenant, t.created_at, t.status, t.phase, t.due_at
), logged AS (
    INSERT INTO restante.events (key, sequence, kind, message, data, status, created_at)
    SELECT * FROM unnest(
        $17::bigint[], $18::integer[], $19::smallint[], $20::text[], $21::text[], $22::smallint[],
        $23::bigint[]
    ) AS e (key, sequence, kind, message, data, status, created_at)
    WHERE e.key IN (SELECT key FROM moved)
), kept AS (
    INSERT INTO restante.results (key, status, headers, size, body, attempt)
    SELECT * FROM unnest(
        $24::bigint[], $25::smallint[], $26::bytea[], $27::bigint[], $28::bytea[], $29::integer[]
    ) AS r (key, status, headers, size, body, attempt)
    WHERE r.key IN (SELECT key FROM moved)
    RETURNING key, body IS NULL AS large, attempt
), referred AS (
    DELETE FROM restante.loose USING kept
    WHERE kept.large AND loose.key = kept.key AND loose.attempt = kept.attempt
), ended AS (
    INSERT INTO restante.endings (tenant, status, created_at, key)
    SELECT tenant, status, created_at, key FROM moved WHERE status >= 2
    ON CONFLICT DO NOTHING
), finished AS (
    DELETE FROM restante.ready USING moved WHERE ready.key = moved.key AND moved.status >= 2
), turned AS (
    UPDATE restante.ready SET hold = NULL, due_at = moved.due_at, begun = moved.status = 1 FROM moved
    WHERE ready.key = moved.key AND moved.status < 2 AND (moved.phase <> 1 OR ready.hold IS NULL)
), fed AS (
    INSERT INTO restante.feed (tenant, key, id, behind, last, at)
    SELECT moved.tenant, moved.key, moved.id, changes.behind, changes.sequence, changes.updated_at
    FROM moved JOIN changes ON changes.key = moved.key WHERE changes.behind IS NOT NULL
):deliveries(moved, 30):forgetting(moved, 46)
SELECT key, true FROM moved UNION ALL SELECT key, false FROM locked WHERE NOT ours

-- name: events_at
-- Single events, by key and sequence.
SELECT e.key, e.sequence, e.kind, e.message, e.data, e.status, e.created_at
FROM unnest($1::bigint[], $2::integer[]) AS w (key, sequence) CROSS JOIN LATERAL (
    SELECT * FROM restante.events
    WHERE events.key = w.key AND events.key BETWEEN :days AND events.sequence = w.sequence OFFSET 0
) AS e

-- name: mark_readings
-- Reserves (1) what is unread, or by this token already; settles what is reserved, by the reservation's token only.
-- The token stays: it tells whose the last mark was.
UPDATE restante.:transactions AS t SET reading = m.after, reader = m.token
FROM unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS m (key, token, after)
WHERE t.key = m.key
    AND CASE m.after WHEN 1 THEN t.reading = 0 OR (t.reading = 1 AND t.reader = m.token)
        ELSE t.reading = 1 AND t.reader = m.token END
RETURNING t.key

-- name: readings
SELECT key, reading, reader FROM restante.transactions WHERE key = ANY($1::bigint[])

-- name: renew
-- Only what is being sent, and is not finished, has a lease. What a process holds is leased with it.
WITH renewed AS (
    UPDATE restante.transactions SET due_at = $2
    WHERE phase = 1 AND status < 2 AND key = ANY($1::bigint[])
    RETURNING key
)
UPDATE restante.ready SET due_at = $2 FROM renewed WHERE ready.key = renewed.key AND ready.hold IS NULL

-- name: probe
UPDATE restante.meta SET probes = probes + 1

-- name: insert_chunks
WITH pieces AS (
    SELECT * FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::bytea[])
        AS p (key, attempt, position, data)
), loosened AS (
    INSERT INTO restante.loose (key, attempt, node, dropping)
    SELECT DISTINCT key, attempt, $5::integer, false FROM pieces
    ON CONFLICT DO NOTHING
)
INSERT INTO restante.chunks (key, attempt, position, data) SELECT * FROM pieces
ON CONFLICT (key, attempt, position) DO UPDATE SET data = excluded.data

-- name: delete_pieces
-- Some pieces of one body, where it is loose; from then on nothing can refer to it.
WITH body AS (
    UPDATE restante.loose SET dropping = true WHERE key = $1 AND attempt = $2 RETURNING key, attempt
), gone AS (
    DELETE FROM restante.chunks USING body
    WHERE chunks.key = body.key AND chunks.attempt = body.attempt AND chunks.position IN (
        SELECT position FROM restante.chunks WHERE key = $1 AND attempt = $2 LIMIT $3
    )
    RETURNING 1
)
SELECT count(*) FROM gone

-- name: delete_loose
DELETE FROM restante.loose WHERE key = $1 AND attempt = $2 AND dropping

-- name: adopt_loose
-- Bodies whose process is gone are this one's to drop.
UPDATE restante.loose SET node = $1, dropping = true
WHERE NOT EXISTS (SELECT 1 FROM restante.nodes WHERE nodes.node = loose.node)
RETURNING key, attempt

-- name: keep_loose
-- Bodies that are being written under a process's former number.
UPDATE restante.loose SET node = $2 WHERE node = $1

-- name: purge
-- $1: keys whose request, result and idempotency key go; $2, $3: new sweep_at of some; $4: keys of which
-- everything goes. Returns the bodies that are loose from now on.
WITH moved AS (
    UPDATE restante.transactions AS t SET sweep_at = m.sweep_at
    FROM unnest($2::bigint[], $3::bigint[]) AS m (key, sweep_at)
    WHERE t.key = m.key
), forgotten_scopes AS (
    DELETE FROM restante.idempotency USING restante.requests
    WHERE requests.key = ANY($1::bigint[]) AND idempotency.scope = requests.scope
        AND idempotency.key = requests.key
), forgotten_requests AS (
    DELETE FROM restante.requests WHERE key = ANY($1::bigint[])
), forgotten_results AS (
    DELETE FROM restante.results WHERE key = ANY($1::bigint[])
), forgotten_events AS (
    DELETE FROM restante.events WHERE key = ANY($4::bigint[])
), forgotten_deliveries AS (
    DELETE FROM restante.deliveries WHERE key = ANY($4::bigint[]) RETURNING number
), forgotten_attempts AS (
    DELETE FROM restante.attempts WHERE delivery IN (SELECT number FROM forgotten_deliveries)
), forgotten_endings AS (
    DELETE FROM restante.endings USING restante.transactions AS t
    WHERE t.key = ANY($4::bigint[]) AND endings.tenant = t.tenant AND endings.status = t.status
        AND endings.created_at = t.created_at AND endings.key = t.key
), forgotten_turns AS (
    DELETE FROM restante.ready WHERE key = ANY($4::bigint[])
), forgotten AS (
    DELETE FROM restante.transactions WHERE key = ANY($4::bigint[])
)
INSERT INTO restante.loose (key, attempt, node, dropping)
SELECT DISTINCT key, attempt, $5::integer, true FROM restante.chunks WHERE key = ANY($1::bigint[])
ON CONFLICT (key, attempt) DO UPDATE SET node = excluded.node, dropping = true
RETURNING key, attempt

-- name: keep_servers_out
-- Nobody can enter until this transaction is over.
LOCK TABLE restante.nodes IN SHARE ROW EXCLUSIVE MODE

-- name: usage
-- How many servers are here, and whether a key was ever given out.
SELECT (SELECT count(*) FROM restante.nodes), keys.is_called OR keys.last_value > 1 OR blocks.is_called
    OR EXISTS (SELECT 1 FROM restante.transactions)
FROM restante.keys, restante.blocks

-- name: replace_secret
-- What came with it was hashed as it says, or otherwise.
UPDATE restante.meta SET secret = $1,
    former_until = (SELECT coalesce(max(expires_at), 0) FROM restante.idempotency)


-- name: bring_sealing
UPDATE restante.meta SET sealing = $1

-- name: mark_sealing
SELECT restante.rehash($1, $2)

-- name: key_hashes
-- Where that could not be done yet.
SELECT restante.rehash(0, NULL) FROM restante.meta WHERE least < 12

-- name: least
SELECT least FROM restante.meta

-- name: keeps_from_before
SELECT EXISTS (SELECT 1 FROM restante.transactions WHERE created_at < $1)

-- name: restart_keys
-- For a version that counts its keys. Unlike setval(), this is undone with its transaction.
ALTER SEQUENCE restante.keys RESTART WITH {first}

-- name: meta
SELECT secret, sealing, least, former_until FROM restante.meta

-- name: reserve_numbers
SELECT nextval('restante.blocks') * 1024

-- name: transactions
SELECT
    key, id::text, tenant, created_at, updated_at, status, outcome, phase, sequence, attempt, doubtful, dialect,
    method, path, query, operation, upstream, priority, tracking_id, due_at, deadline, expires_at, sweep_at,
    result_status, reading, retry_of::text, callback
FROM unnest($1::bigint[]) AS w (wanted) CROSS JOIN LATERAL (
    SELECT * FROM restante.transactions WHERE transactions.key = w.wanted AND transactions.key BETWEEN :days OFFSET 0
) AS t

-- name: events
-- Asked for with key, after, limit; each row begins with the place of the one that it answers. Sequences have
-- no gaps: so many events are so many numbers.
SELECT w.place, e.sequence, e.kind, e.message, e.data, e.status, e.created_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS w (key, after, most, place)
CROSS JOIN LATERAL (
    SELECT * FROM restante.events
    WHERE events.key = w.key AND events.key BETWEEN :days
        AND events.sequence > w.after AND events.sequence <= w.after + w.most OFFSET 0
) AS e
ORDER BY w.place, e.sequence

-- name: requests
SELECT key, headers, size, body FROM unnest($1::bigint[]) AS w (wanted) CROSS JOIN LATERAL (
    SELECT * FROM restante.requests WHERE requests.key = w.wanted AND requests.key BETWEEN :hours OFFSET 0
) AS r

-- name: results
SELECT key, status, headers, size, body, attempt FROM unnest($1::bigint[]) AS w (wanted) CROSS JOIN LATERAL (
    SELECT * FROM restante.results WHERE results.key = w.wanted AND results.key BETWEEN :hours OFFSET 0
) AS r

-- name: chunks
SELECT c.key, c.attempt, c.position, c.data
FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS w (key, attempt, position)
CROSS JOIN LATERAL (
    SELECT * FROM restante.chunks
    WHERE chunks.key = w.key AND chunks.key BETWEEN :hours
        AND chunks.attempt = w.attempt AND chunks.position = w.position OFFSET 0
) AS c

-- name: claim
-- Due and nobody's, shared over the tenants that have something due: those behind the tenant $5 first, then from
-- the beginning, a few index steps for each; of each by priority, one index step each, then by time. What
-- another claim is looking at is skipped. With every row comes how many tenants shared.
-- With $6 a tenant is given no more than brings what he has here ($7, $8) to that.
-- Nothing of an upstream that is paused, unless $9. (Tenants are ordered by priority as well so that no other index will do.)
WITH RECURSIVE behind (tenant) AS (
    (
        SELECT tenant FROM restante.ready WHERE upstream = $1 AND hold IS NULL AND tenant > $5
            AND NOT EXISTS (SELECT 1 FROM restante.pauses WHERE upstream = $1 AND NOT $9)
        ORDER BY tenant, priority DESC LIMIT 1
    )
    UNION ALL
    SELECT next.tenant FROM behind CROSS JOIN LATERAL (
        SELECT tenant FROM restante.ready WHERE upstream = $1 AND hold IS NULL AND tenant > behind.tenant
        ORDER BY tenant, priority DESC LIMIT 1
    ) AS next
), before (tenant) AS (
    (
        SELECT tenant FROM restante.ready WHERE upstream = $1 AND hold IS NULL AND tenant <= $5
            AND NOT EXISTS (SELECT 1 FROM restante.pauses WHERE upstream = $1 AND NOT $9)
        ORDER BY tenant, priority DESC LIMIT 1
    )
    UNION ALL
    SELECT next.tenant FROM before CROSS JOIN LATERAL (
        SELECT tenant FROM restante.ready
        WHERE upstream = $1 AND hold IS NULL AND tenant > before.tenant AND tenant <= $5
        ORDER BY tenant, priority DESC LIMIT 1
    ) AS next
), lines AS MATERIALIZED (
    SELECT tenant, room, row_number() OVER () AS place
    FROM (SELECT tenant FROM behind UNION ALL SELECT tenant FROM before) AS walk CROSS JOIN LATERAL (
        SELECT least($2, $6::bigint - coalesce((
            SELECT had.count FROM unnest($7::text[], $8::bigint[]) AS had (tenant, count)
            WHERE had.tenant = walk.tenant
        ), 0)) AS room
    ) AS may
    WHERE room > 0 AND EXISTS (
        WITH RECURSIVE level (priority) AS (
            (
                SELECT priority FROM restante.ready
                WHERE upstream = $1 AND hold IS NULL AND tenant = walk.tenant
                ORDER BY priority DESC LIMIT 1
            )
            UNION ALL
            SELECT next.priority FROM level CROSS JOIN LATERAL (
                SELECT priority FROM restante.ready
                WHERE upstream = $1 AND hold IS NULL AND tenant = walk.tenant AND priority < level.priority
                ORDER BY priority DESC LIMIT 1
            ) AS next
        )
        SELECT 1 FROM level CROSS JOIN LATERAL (
            SELECT 1 FROM restante.ready
            WHERE upstream = $1 AND hold IS NULL AND tenant = walk.tenant AND priority = level.priority
                AND due_at <= $3
            ORDER BY due_at LIMIT 1
        ) AS one
    )
    LIMIT $2
), due AS MATERIALIZED (
    SELECT turn.key, lines.place FROM lines CROSS JOIN LATERAL (
        WITH RECURSIVE level (priority) AS (
            (
                SELECT priority FROM restante.ready
                WHERE upstream = $1 AND hold IS NULL AND tenant = lines.tenant
                ORDER BY priority DESC LIMIT 1
            )
            UNION ALL
            SELECT next.priority FROM level CROSS JOIN LATERAL (
                SELECT priority FROM restante.ready
                WHERE upstream = $1 AND hold IS NULL AND tenant = lines.tenant AND priority < level.priority
                ORDER BY priority DESC LIMIT 1
            ) AS next
        )
        SELECT one.key FROM level CROSS JOIN LATERAL (
            SELECT key FROM restante.ready
            WHERE upstream = $1 AND hold IS NULL AND tenant = lines.tenant AND priority = level.priority
                AND due_at <= $3
            ORDER BY due_at, key LIMIT $2 FOR UPDATE SKIP LOCKED
        ) AS one LIMIT least(lines.room, (SELECT ceil($2 / greatest(count(*), 1)::float8)::bigint FROM lines))
    ) AS turn LIMIT $2
), taken AS (
    UPDATE restante.ready SET hold = $4 FROM due WHERE ready.key = due.key
    RETURNING ready.key, ready.tenant, due.place, ready.priority, ready.due_at
)
SELECT key, tenant, (SELECT count(*) FROM lines) FROM taken ORDER BY place, priority DESC, due_at, key

-- name: small_requests
SELECT key, headers, size, body FROM unnest($1::bigint[]) AS w (wanted) CROSS JOIN LATERAL (
    SELECT * FROM restante.requests
    WHERE requests.key = w.wanted AND requests.key BETWEEN :hours AND size <= $2 AND body IS NOT NULL OFFSET 0
) AS r

-- name: next_due
-- The earliest moment after $2, of any tenant, at any priority.
WITH RECURSIVE line (tenant) AS (
    (
        SELECT tenant FROM restante.ready WHERE upstream = $1 AND hold IS NULL
        ORDER BY tenant, priority DESC LIMIT 1
    )
    UNION ALL
    SELECT next.tenant FROM line CROSS JOIN LATERAL (
        SELECT tenant FROM restante.ready WHERE upstream = $1 AND hold IS NULL AND tenant > line.tenant
        ORDER BY tenant, priority DESC LIMIT 1
    ) AS next
), level (tenant, priority) AS (
    SELECT line.tenant, first.priority FROM line CROSS JOIN LATERAL (
        SELECT priority FROM restante.ready WHERE upstream = $1 AND hold IS NULL AND tenant = line.tenant
        ORDER BY priority DESC LIMIT 1
    ) AS first
    UNION ALL
    SELECT level.tenant, next.priority FROM level CROSS JOIN LATERAL (
        SELECT priority FROM restante.ready
        WHERE upstream = $1 AND hold IS NULL AND tenant = level.tenant AND priority < level.priority
        ORDER BY priority DESC LIMIT 1
    ) AS next
)
SELECT min(turn.due_at) FROM level CROSS JOIN LATERAL (
    SELECT due_at FROM restante.ready
    WHERE upstream = $1 AND hold IS NULL AND tenant = level.tenant AND priority = level.priority AND due_at > $2
    ORDER BY due_at LIMIT 1
) AS turn

-- name: pause
INSERT INTO restante.pauses (upstream) VALUES ($1) ON CONFLICT DO NOTHING

-- name: resume
DELETE FROM restante.pauses WHERE upstream = $1

-- name: paused
SELECT upstream FROM restante.pauses

-- name: shares
-- How these upstreams are divided, and which processes there are, at one moment.
SELECT wanted.upstream, coalesce(version, 0), coalesce(nodes, '{}'), coalesce(slots, '{}'),
    (SELECT array_agg(node) FROM restante.nodes)
FROM unnest($1::text[]) AS wanted (upstream) LEFT JOIN restante.shares ON shares.upstream = wanted.upstream

-- name: divide
-- Only where nobody has divided it anew since.
INSERT INTO restante.shares AS known (upstream, version, nodes, slots) VALUES ($1, $2 + 1, $3, $4)
ON CONFLICT (upstream) DO UPDATE
SET version = excluded.version, nodes = excluded.nodes, slots = excluded.slots
WHERE known.version = $2
RETURNING version

-- name: loads
-- Of each upstream how many are not finished, and how many of these are being sent: those have a holder.
SELECT upstream, count(*), coalesce((
    SELECT count(*) FROM restante.ready AS held JOIN restante.transactions AS t ON t.key = held.key
    WHERE held.hold IS NOT NULL AND held.upstream = ready.upstream AND t.phase = 1
), 0) FROM restante.ready GROUP BY upstream

-- name: release
-- What is given up by its holder is due when its row says.
UPDATE restante.ready SET hold = NULL, due_at = t.due_at, begun = t.status = 1
FROM unnest($1::bigint[], $2::bigint[]) AS h (key, hold) CROSS JOIN LATERAL (
    SELECT due_at, status FROM restante.transactions
    WHERE transactions.key = h.key AND transactions.key BETWEEN :days OFFSET 0
) AS t
WHERE ready.key = h.key AND ready.hold = h.hold

-- name: release_holds
-- The same for acquisitions of which nobody knows what they brought.
UPDATE restante.ready
SET hold = NULL, begun = (SELECT status = 1 FROM restante.transactions AS t WHERE t.key = ready.key)
WHERE hold = ANY($1::bigint[])

-- name: release_readings
UPDATE restante.transactions SET reading = 0, reader = NULL
WHERE reading = 1 AND reader = ANY($1::bigint[])

-- name: lapsed
-- What is not finished; under plain keys also what has ended.
SELECT key FROM (
    (
        SELECT sweep_at, key FROM restante.transactions
        WHERE key < 70370891661312 AND sweep_at <= $1 ORDER BY sweep_at, key LIMIT $2
    )
    UNION ALL
    (
        SELECT sweep_at, key FROM restante.ready
        WHERE key >= 70370891661312 AND sweep_at <= $1 ORDER BY sweep_at, key LIMIT $2
    )
) AS few ORDER BY sweep_at, key LIMIT $2

-- name: next_lapse
-- The earliest deadline up to $1. What has ended under plain keys stands between them and is stepped over.
SELECT min(sweep_at) FROM (
    (
        SELECT sweep_at FROM restante.transactions
        WHERE key < 70370891661312 AND sweep_at <= $1 AND status < 2 ORDER BY sweep_at LIMIT 1
    )
    UNION ALL
    (
        SELECT sweep_at FROM restante.ready
        WHERE key >= 70370891661312 AND sweep_at <= $1 ORDER BY sweep_at LIMIT 1
    )
) AS few

-- name: partitions
-- Their names; whether each is part of its table; whether somebody has begun to take it out.
SELECT relname::text, inhrelid IS NOT NULL, coalesce(inhdetachpending, false)
FROM pg_class LEFT JOIN pg_inherits ON inhrelid = pg_class.oid
WHERE relnamespace = 'restante'::regnamespace AND relkind = 'r' AND relname ~ '_[0-9]{8}([0-9]{2})?$'

-- name: is_past
-- Whether nothing under the keys $1 to $2 is needed: nothing there is still to be done, no body is being written, and
-- no transaction expires after $3 or was accepted after $4.
SELECT NOT EXISTS (SELECT 1 FROM restante.ready WHERE key BETWEEN $1 AND $2)
    AND NOT EXISTS (SELECT 1 FROM restante.loose WHERE key BETWEEN $1 AND $2 AND NOT dropping)
    AND NOT EXISTS (
        SELECT 1 FROM restante.:apart
        WHERE key BETWEEN :days AND key BETWEEN $1 AND $2 AND (expires_at > $3 OR created_at > $4)
    )

-- name: forget_scopes
-- The idempotency keys of some requests, of those behind $1 up to $2. Returns how far it came; NULL: to the end.
WITH few AS MATERIALIZED (
    SELECT key, scope FROM restante.requests
    WHERE key BETWEEN :hours AND key > $1 AND key <= $2 ORDER BY key LIMIT $3
), forgotten AS (
    DELETE FROM restante.idempotency USING few WHERE idempotency.scope = few.scope AND idempotency.key = few.key
)
SELECT max(key) FROM few

-- name: cursor
-- Where a page goes on: the row itself, or the tenant's next one where it is gone. Plain keys are in the order of
-- time; of the others whole partitions go, and the next one is the earliest of what is left.
SELECT created_at FROM (
    (SELECT created_at FROM restante.transactions WHERE key = $1 AND tenant = $2)
    UNION ALL
    (
        SELECT created_at FROM restante.transactions
        WHERE $1 < 70370891661312 AND key > $1 AND tenant = $2 ORDER BY key LIMIT 1
    )
    UNION ALL
    (
        SELECT created_at FROM restante.transactions
        WHERE $1 >= 70370891661312 AND key > $1 AND tenant = $2 ORDER BY created_at, key LIMIT 1
    )
) AS next LIMIT 1

-- name: register
-- A process enters, with a number that none had before.
INSERT INTO restante.nodes (node, lease_until, machine, process, version)
VALUES (
    nextval('restante.node_numbers')::integer, clock_timestamp() + $1::bigint * interval '1 microsecond', $2, $3, $4
)
RETURNING node

-- name: neighbours
-- The other processes on one machine.
SELECT node, process FROM restante.nodes WHERE machine = $1 AND node <> $2

-- name: beat
-- A process is still there; no row where it was taken for dead.
UPDATE restante.nodes SET lease_until = clock_timestamp() + $2::bigint * interval '1 microsecond'
WHERE node = $1
RETURNING node

-- name: survey
-- How many other processes there are, and in how many microseconds the first of their leases ends.
SELECT count(*),
    coalesce((extract(epoch FROM min(lease_until) - clock_timestamp()) * 1000000)::bigint, 0)
FROM restante.nodes WHERE node <> $1

-- name: health
-- Name, number, and of a table how many rows live. What this very statement sees does not count.
SELECT name || '_dead_rows', sum(n_dead_tup)::bigint, sum(n_live_tup)::bigint
FROM pg_stat_user_tables LEFT JOIN pg_inherits ON inhrelid = relid
CROSS JOIN LATERAL (SELECT coalesce((SELECT relname FROM pg_class WHERE oid = inhparent), relname) AS name) AS whole
WHERE schemaname = 'restante' AND name IN (
    'ready', 'transactions', 'endings', 'events', 'requests', 'results', 'chunks', 'idempotency'
) GROUP BY name
UNION ALL SELECT 'oldest_transaction_seconds', coalesce(extract(epoch FROM clock_timestamp() - least(
    (
        SELECT min(xact_start) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
    ),
    (SELECT min(prepared) FROM pg_prepared_xacts)
))::bigint, 0), 0
UNION ALL SELECT 'oldest_snapshot_transactions', greatest(
    (
        SELECT max(age(backend_xmin)) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
    ),
    (SELECT max(age(transaction)) FROM pg_prepared_xacts),
    (SELECT max(age(xmin)) FROM pg_replication_slots),
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint
        - pg_snapshot_xmin(pg_current_snapshot())::text::bigint
), 0

-- name: count_ready
-- Of the $1 tenants with the most how many are not finished, and of all together. It reads them all, in an index.
SELECT tenant, queued, sum(queued) OVER ()
FROM (SELECT tenant, count(*) AS queued FROM restante.ready GROUP BY tenant) AS each
ORDER BY queued DESC LIMIT $1

-- name: bury
-- Those whose lease has ended, and those that are known to have.
DELETE FROM restante.nodes WHERE lease_until <= clock_timestamp() OR node = ANY($1::integer[]) RETURNING node

-- name: leave
DELETE FROM restante.nodes WHERE node = $1

-- name: void_holds
-- What processes held that are gone.
WITH freed AS (
    UPDATE restante.ready
    SET hold = NULL, begun = (SELECT status = 1 FROM restante.transactions AS t WHERE t.key = ready.key)
    WHERE hold IS NOT NULL AND NOT EXISTS (SELECT 1 FROM restante.nodes WHERE node = hold >> 32)
    RETURNING upstream
)
SELECT DISTINCT upstream FROM freed

-- name: disown
-- What the process with the numbers from $1 to $2 is said to hold and does not, other than by a claim ($3) that is
-- being answered.
WITH freed AS (
    UPDATE restante.ready
    SET hold = NULL, begun = (SELECT status = 1 FROM restante.transactions AS t WHERE t.key = ready.key)
    WHERE hold >= $1 AND hold <= $2 AND hold <> $3 AND key <> ALL($4::bigint[])
    RETURNING upstream
)
SELECT DISTINCT upstream FROM freed

-- name: void_readings
-- Answers that were being handed over by processes that are gone.
UPDATE restante.transactions SET reading = 0, reader = NULL
WHERE reading = 1 AND NOT EXISTS (SELECT 1 FROM restante.nodes WHERE node = reader >> 32)

-- name: notify
SELECT pg_notify('restante', payload) FROM unnest($1::text[]) AS p (payload)

-- name: deliveries
-- Part of other statements: what tells of rows that these have written.
INSERT INTO restante.deliveries (
    id, tenant, endpoint, lane, url, key, transaction_id, sequence, body, state, attempt, tried, due_at, created_at,
    ended_at, code
)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::uuid[], $8::integer[],
    $9::bytea[], $10::smallint[], $11::integer[], $12::integer[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::integer[]
) AS d (
    id, tenant, endpoint, lane, url, key, transaction_id, sequence, body, state, attempt, tried, due_at, created_at,
    ended_at, code
)
WHERE d.key IN (SELECT key FROM :written)

-- name: headers
-- Part of other statements: the header fields that are kept of requests from now on.
UPDATE restante.requests AS r SET headers = h.headers FROM unnest($1::bigint[], $2::bytea[]) AS h (key, headers)
WHERE r.key = h.key AND r.key BETWEEN :hours AND h.key IN (SELECT key FROM :written)

-- name: post
-- Deliveries that tell of no transaction.
INSERT INTO restante.deliveries (
    id, tenant, endpoint, lane, url, key, transaction_id, sequence, body, state, attempt, tried, due_at, created_at,
    ended_at, code
)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::uuid[], $8::integer[],
    $9::bytea[], $10::smallint[], $11::integer[], $12::integer[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::integer[]
)
ON CONFLICT (id) DO NOTHING

-- name: endpoints
SELECT content FROM restante.endpoints ORDER BY number

-- name: endpoint_content
SELECT content FROM restante.endpoints WHERE id = $1

-- name: insert_endpoint
-- Only where the tenant has fewer than $5.
INSERT INTO restante.endpoints (id, tenant, version, content)
SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM restante.endpoints WHERE tenant = $2) < $5::bigint
ON CONFLICT (id) DO NOTHING RETURNING id

-- name: replace_endpoint
UPDATE restante.endpoints SET content = $4, version = $3
WHERE id = $1 AND tenant = $2 AND version = $3::integer - 1 RETURNING id

-- name: delete_endpoint
DELETE FROM restante.endpoints WHERE id = $1 AND version = $2 RETURNING id

-- name: take_deliveries
-- Of each lane the first that are due at $3, lent out until $4 (core.delivery.send); what somebody else is taking
-- is skipped. Each with the event that its endpoint was told before of the same transaction.
WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::bigint[]) AS w (lane, most)
), due AS MATERIALIZED (
    SELECT one.number FROM wanted CROSS JOIN LATERAL (
        SELECT number FROM restante.deliveries
        WHERE lane = wanted.lane AND state < 2 AND due_at <= $3
        ORDER BY due_at, number LIMIT wanted.most FOR UPDATE SKIP LOCKED
    ) AS one
), taken AS (
    UPDATE restante.deliveries AS d SET state = 1, attempt = d.attempt + 1, due_at = $4
    FROM due WHERE d.number = due.number
    RETURNING d.*
)
SELECT d.number, replace(d.id::text, '-', ''), d.tenant, d.endpoint, d.lane, d.url, d.key, d.transaction_id::text,
    d.sequence, d.body, d.state, d.attempt, d.tried, d.due_at, d.created_at, d.ended_at, d.code, (
        SELECT max(before.sequence) FROM restante.deliveries AS before
        WHERE before.key = d.key AND before.endpoint = d.endpoint AND before.sequence < d.sequence AND d.key > 0
    )
FROM taken AS d ORDER BY d.number

-- name: give_back_deliveries
UPDATE restante.deliveries SET due_at = $3
WHERE lane = ANY($1::text[]) AND state < 2 AND due_at = $2 AND state = 1

-- name: settle_deliveries
-- The version check: only from the state and attempt that each starts from.
WITH progress AS (
    SELECT * FROM unnest(
        $1::bigint[], $2::smallint[], $3::integer[], $4::smallint[], $5::integer[], $6::bigint[], $7::bigint[],
        $8::integer[]
    ) AS p (number, from_state, from_attempt, state, tried, due_at, ended_at, code)
), moved AS (
    UPDATE restante.deliveries AS d
    SET state = p.state, tried = p.tried, due_at = p.due_at, ended_at = p.ended_at, code = p.code
    FROM progress AS p
    WHERE d.number = p.number AND d.state = p.from_state AND d.attempt = p.from_attempt
    RETURNING d.number
), logged AS (
    INSERT INTO restante.attempts (delivery, number, at, duration, carried, reason, code, answer)
    SELECT * FROM unnest(
        $9::bigint[], $10::integer[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::integer[],
        $16::bytea[]
    ) AS a (delivery, number, at, duration, carried, reason, code, answer)
    WHERE a.delivery IN (SELECT number FROM moved)
    ON CONFLICT DO NOTHING
)
SELECT number FROM moved

-- name: look_deliveries
SELECT d.number, replace(d.id::text, '-', ''), d.tenant, d.endpoint, d.lane, d.url, d.key, d.transaction_id::text,
    d.sequence, d.body, d.state, d.attempt, d.tried, d.due_at, d.created_at, d.ended_at, d.code
FROM restante.deliveries AS d WHERE d.id = ANY($1::uuid[])

-- name: delivery_page
-- The newest of an endpoint in some states, each walked in its order, within a span and older than a place.
SELECT d.number, replace(d.id::text, '-', ''), d.tenant, d.endpoint, d.lane, d.url, d.key, d.transaction_id::text,
    d.sequence, d.body, d.state, d.attempt, d.tried, d.due_at, d.created_at, d.ended_at, d.code
FROM unnest($2::smallint[]) AS wanted (state) CROSS JOIN LATERAL (
    SELECT * FROM restante.deliveries
    WHERE endpoint = $1 AND state = wanted.state AND created_at BETWEEN $3 AND $4
        AND (created_at, number) < ($5::bigint, $6::bigint)
    ORDER BY created_at DESC, number DESC LIMIT $7
) AS d ORDER BY d.created_at DESC, d.number DESC LIMIT $7

-- name: attempts
SELECT delivery, number, at, duration, carried, reason, code, answer FROM restante.attempts
WHERE delivery = ANY($1::bigint[]) ORDER BY delivery, number

-- name: lane_dues
-- Of each of these lanes the earliest moment.
SELECT wanted.lane, first.due_at FROM unnest($1::text[]) AS wanted (lane) CROSS JOIN LATERAL (
    SELECT due_at FROM restante.deliveries WHERE lane = wanted.lane AND state < 2 ORDER BY due_at LIMIT 1
) AS first

-- name: all_lane_dues
-- Of all lanes, the first $2 behind $1 by name: a few index steps for each.
WITH RECURSIVE line (lane, due_at) AS (
    (SELECT lane, due_at FROM restante.deliveries WHERE state < 2 AND lane > $1 ORDER BY lane, due_at LIMIT 1)
    UNION ALL
    SELECT next.lane, next.due_at FROM line CROSS JOIN LATERAL (
        SELECT lane, due_at FROM restante.deliveries
        WHERE state < 2 AND lane > line.lane ORDER BY lane, due_at LIMIT 1
    ) AS next
)
SELECT lane, due_at FROM line LIMIT $2

-- name: sweep_deliveries
-- Made before $1, and over, or nobody sends them.
WITH old AS MATERIALIZED (
    SELECT number FROM restante.deliveries
    WHERE created_at < $1 AND (state >= 2 OR due_at < $1) ORDER BY created_at LIMIT $2
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM restante.deliveries USING old WHERE deliveries.number = old.number
), logs AS (
    DELETE FROM restante.attempts USING old WHERE attempts.delivery = old.number
)
SELECT count(*) FROM old

-- name: sweep_feed
-- The oldest $2, as far as they are from before $1.
WITH old AS MATERIALIZED (
    SELECT number, at FROM restante.feed ORDER BY number LIMIT $2
), gone AS (
    DELETE FROM restante.feed USING old WHERE feed.number = old.number AND old.at < $1 RETURNING 1
)
SELECT count(*) FROM gone

-- name: feed
-- Behind the place $2, $3. Not what was committed beside something that is still under way: that may come in front.
-- `feed.xid`: by `xid` alone the text of the output column would be meant, and "10" comes before "9" there.
SELECT xid::text, number, key, id::text, behind, last FROM restante.feed
WHERE tenant = $1 AND (xid, number) > ($2::bigint::text::xid8, $3::bigint)
    AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY feed.xid, number LIMIT $4

-- name: feed_end
-- No place is at or behind this one.
SELECT pg_snapshot_xmax(pg_current_snapshot())::text

-- name: import_deliveries
INSERT INTO restante.deliveries
    (number, id, tenant, endpoint, lane, url, key, transaction_id, sequence, body, state, attempt, tried, due_at,
    created_at, ended_at, code)
OVERRIDING SYSTEM VALUE
SELECT * FROM unnest(
    $1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::uuid[],
    $9::integer[], $10::bytea[], $11::smallint[], $12::integer[], $13::integer[], $14::bigint[], $15::bigint[],
    $16::bigint[], $17::integer[]
)

-- name: import_attempts
INSERT INTO restante.attempts (delivery, number, at, duration, carried, reason, code, answer)
SELECT * FROM unnest(
    $1::bigint[], $2::integer[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::integer[], $8::bytea[]
)

-- name: import_feed
-- In front of whatever is written here.
INSERT INTO restante.feed (number, xid, tenant, key, id, behind, last, at)
OVERRIDING SYSTEM VALUE
SELECT number, '0'::xid8, tenant, key, id, behind, last, at FROM unnest(
    $1::bigint[], $2::text[], $3::bigint[], $4::uuid[], $5::integer[], $6::integer[], $7::bigint[]
) AS f (number, tenant, key, id, behind, last, at)

-- name: restart_deliveries
ALTER TABLE restante.deliveries ALTER COLUMN number RESTART WITH {first}

-- name: restart_feed
ALTER TABLE restante.feed ALTER COLUMN number RESTART WITH {first}

-- name: foreign_feed
-- The last entry, if it is of another server than this one: its data was brought here from there.
SELECT number FROM (SELECT number, xid FROM restante.feed ORDER BY number DESC LIMIT 1) AS newest
WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())

-- name: adopt_feed
-- Some entries up to $1 come first, in the order of their numbers. Returns how many.
WITH few AS MATERIALIZED (
    SELECT number FROM restante.feed WHERE number <= $1 AND xid > '0' ORDER BY number DESC LIMIT $2
), moved AS (
    UPDATE restante.feed SET xid = '0' FROM few WHERE feed.number = few.number
)
SELECT count(*) FROM few

-- name: insert_access_keys
INSERT INTO restante.access_keys (id, digest, tenant, scopes, created_at, expires_at, revoked_at)
SELECT * FROM unnest(
    $1::text[], $2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[]
)
ON CONFLICT (id) DO NOTHING

-- name: access_keys_by_digest
SELECT id, digest, tenant, scopes, created_at, expires_at, revoked_at FROM restante.access_keys
WHERE digest = ANY($1::bytea[])

-- name: access_keys_of
SELECT id, digest, tenant, scopes, created_at, expires_at, revoked_at FROM restante.access_keys
WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3

-- name: all_access_keys
SELECT id, digest, tenant, scopes, created_at, expires_at, revoked_at FROM restante.access_keys
WHERE id < $1 ORDER BY id DESC LIMIT $2

-- name: revoke_access_keys
UPDATE restante.access_keys SET revoked_at = coalesce(revoked_at, $3::bigint)
WHERE id = ANY($1::text[]) AND $2 IN (tenant, '*')
RETURNING id, digest, tenant, scopes, created_at, expires_at, revoked_at

-- name: stored
-- The requests of a page with their results: bytes by tenant and upstream, and the last key.
WITH page AS MATERIALIZED (
    SELECT key, size + octet_length(headers) AS bytes FROM restante.requests WHERE key > $1 ORDER BY key LIMIT $2
)
SELECT t.tenant, t.upstream, sum(page.bytes + coalesce(r.bytes, 0))::bigint, max(page.key)
FROM page CROSS JOIN LATERAL (
    SELECT tenant, upstream FROM restante.transactions WHERE transactions.key = page.key OFFSET 0
) AS t LEFT JOIN LATERAL (
    SELECT size + octet_length(headers) AS bytes FROM restante.results WHERE results.key = page.key OFFSET 0
) AS r ON true
GROUP BY t.tenant, t.upstream

-- name: sweep_access_keys
DELETE FROM restante.access_keys WHERE id IN (
    SELECT id FROM restante.access_keys WHERE least(revoked_at, expires_at) < $1 LIMIT $2
) RETURNING id

-- name: reach_figures
-- All entries that are there now are to be counted, once what was under way is over. Whoever comes second does nothing.
UPDATE restante.counted SET upto = newest.number, upto_xid = pg_snapshot_xmax(pg_current_snapshot())
FROM (SELECT max(number) AS number FROM restante.feed) AS newest
WHERE counted.place >= counted.upto AND newest.number > counted.place

-- name: count_figures
-- $1 more entries, if there are any to count; returns how many. A note behind the end is of another kind than the
-- end. Steps: core.figures.step_of.
WITH mark AS MATERIALIZED (
    SELECT place, upto FROM restante.counted
    WHERE upto_xid <= pg_snapshot_xmin(pg_current_snapshot()) AND place < upto FOR UPDATE
), few AS MATERIALIZED (
    SELECT f.number, f.key, f.behind, f.last FROM mark CROSS JOIN LATERAL (
        SELECT number, key, behind, last FROM restante.feed
        WHERE number > mark.place AND number <= mark.upto ORDER BY number LIMIT $1
    ) AS f
), told AS MATERIALIZED (
    SELECT t.tenant, t.upstream, t.outcome, t.result_status AS code, e.created_at / 60000000 AS minute,
        e.sequence, e.kind, e.status,
        100 + least(99, greatest(0, floor(
            4 * ln(greatest(e.created_at - t.created_at, 1)::float8 / 1000) / ln(2::float8) + 1e-9
        )))::integer AS step
    FROM few CROSS JOIN LATERAL (
        SELECT tenant, upstream, created_at, outcome, result_status FROM restante.transactions
        WHERE transactions.key = few.key OFFSET 0
    ) AS t CROSS JOIN LATERAL (
        SELECT sequence, kind, status, created_at FROM restante.events
        WHERE events.key = few.key AND events.sequence > few.behind AND events.sequence <= few.last OFFSET 0
    ) AS e
), single (tenant, minute, upstream, what) AS (
    SELECT tenant, minute, upstream, 0 FROM told WHERE sequence = 1
    UNION ALL SELECT tenant, minute, upstream, status - 1 FROM told WHERE status >= 2 AND kind < 2
    UNION ALL SELECT tenant, minute, upstream, step FROM told WHERE status IN (2, 3) AND kind < 2
    UNION ALL SELECT tenant, minute, upstream, step + 100 FROM told WHERE status = 1 AND kind = 0
    UNION ALL SELECT tenant, minute, upstream, 4 FROM told WHERE kind = 3
    UNION ALL SELECT tenant, minute, upstream, 5 FROM told
    WHERE status = 3 AND kind < 2 AND (outcome IN (1, 2, 3) OR (outcome = 0 AND code >= 500))
    UNION ALL SELECT tenant, minute, upstream, 6 FROM told WHERE status = 3 AND kind < 2 AND outcome = 1
), added AS (
    INSERT INTO restante.figures AS old (tenant, minutes, at, upstream, what, count)
    SELECT whose.tenant, stretch.minutes, minute - minute % stretch.minutes AS at, upstream, what, count(*)
    FROM single CROSS JOIN LATERAL (VALUES (single.tenant), ('*')) AS whose (tenant)
    CROSS JOIN (VALUES (1), (60)) AS stretch (minutes)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant, minutes, at, upstream, what) DO UPDATE SET count = old.count + excluded.count
), moved AS (
    UPDATE restante.counted SET place = CASE
        WHEN (SELECT count(*) FROM few) < $1 THEN mark.upto ELSE (SELECT max(number) FROM few)
    END FROM mark
)
SELECT count(*) FROM few

-- name: figures
SELECT ((at - $3::bigint) / $5::bigint)::integer AS place, upstream, what::integer, sum(count)::bigint
FROM restante.figures
WHERE tenant = $1 AND minutes = $2::smallint AND at >= $3::bigint AND at < $3::bigint + $4::bigint * $5::bigint
GROUP BY 1, 2, 3

-- name: counted_tenants
SELECT tenant, sum(count)::bigint AS much FROM restante.figures
WHERE minutes = 60 AND at >= $1 AND what = 0 AND tenant <> '*' GROUP BY tenant ORDER BY much DESC, tenant LIMIT $2

-- name: sweep_figures
WITH old AS MATERIALIZED (
    SELECT tenant, minutes, at, upstream, what FROM restante.figures
    WHERE minutes = $1::smallint AND at < $2 ORDER BY at LIMIT $3
), gone AS (
    DELETE FROM restante.figures USING old
    WHERE figures.tenant = old.tenant AND figures.minutes = old.minutes AND figures.at = old.at
        AND figures.upstream = old.upstream AND figures.what = old.what
    RETURNING 1
)
SELECT count(*) FROM gone

-- name: pending_figures
-- What somebody holds may have been begun: its row tells.
SELECT ((created_at / 60000000 - $2::bigint) / $3::bigint)::integer, count(*) FROM restante.ready
WHERE ($1::text = '*' OR tenant = $1) AND created_at >= $2::bigint * 60000000 AND NOT begun
    AND (hold IS NULL OR EXISTS (
        SELECT 1 FROM restante.transactions AS t WHERE t.key = ready.key AND t.status = 0
    ))
GROUP BY 1

-- name: ahead
SELECT count(*) FROM (
    SELECT 1 FROM restante.ready
    WHERE upstream = $1 AND tenant = $2 AND hold IS NULL
        AND (priority > $3 OR (priority = $3 AND (due_at, key) < ($4::bigint, $5::bigint)))
    LIMIT $6
) AS few

-- name: tenants_in_line
WITH RECURSIVE line (tenant) AS (
    SELECT (SELECT min(tenant) FROM restante.ready WHERE upstream = $1 AND hold IS NULL)
    UNION ALL
    SELECT (SELECT min(tenant) FROM restante.ready WHERE upstream = $1 AND hold IS NULL AND tenant > line.tenant)
    FROM line WHERE line.tenant IS NOT NULL
)
SELECT count(tenant) FROM (SELECT tenant FROM line LIMIT $2) AS few

-- name: with_code
-- Of the newest $2 under the key $1 those that fit, the last key there is, and how many these were. Ids have no
-- index; what is read is bounded.
SELECT coalesce(array_agg(key ORDER BY key DESC) FILTER (WHERE fits), '{}'), min(key), count(*) FROM (
    SELECT key, id BETWEEN $3::uuid AND $4::uuid AND ($5::text = '*' OR tenant = $5) AS fits
    FROM restante.transactions WHERE key < $1 ORDER BY key DESC LIMIT $2
) AS few

-- name: deliveries_about
SELECT number, replace(id::text, '-', ''), tenant, endpoint, lane, url, key, transaction_id::text,
    sequence, body, state, attempt, tried, due_at, created_at, ended_at, code
FROM restante.deliveries WHERE key = $1 ORDER BY endpoint, sequence LIMIT $2
