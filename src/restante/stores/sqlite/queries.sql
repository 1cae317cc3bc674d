-- Every statement of this store, by name. A row of question marks after VALUES may be repeated
-- (queries.py), so that many rows are one step. Lists of keys come as one JSON array.

-- name: begin
-- One writer: the lock is taken at once, never on the way.
BEGIN IMMEDIATE

-- name: commit
COMMIT

-- name: rollback
ROLLBACK

-- name: mark
-- A place to go back to when a group turns out to hold something that cannot be written.
SAVEPOINT mark

-- name: back
ROLLBACK TO mark

-- name: unmark
RELEASE mark

-- name: snapshot
-- Readers: several queries that see the same moment.
BEGIN

-- name: insert_transactions
INSERT INTO transactions (
    key, id, tenant, created_at, updated_at, status, outcome, phase, sequence, attempt, doubtful, dialect,
    method, path, query, operation, upstream, priority, tracking_id, due_at, deadline, expires_at, sweep_at,
    result_status, reading, retry_of, callback
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_events
INSERT INTO events (key, sequence, kind, message, data, status, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: insert_requests
INSERT INTO requests (key, headers, size, body, scope) VALUES (?, ?, ?, ?, ?)

-- name: insert_results
INSERT INTO results (key, status, headers, size, body, attempt) VALUES (?, ?, ?, ?, ?, ?)

-- name: insert_idempotency
-- An entry that is replaced is one whose transaction is past its retention.
INSERT INTO idempotency (scope, key, fingerprint, expires_at) VALUES (?, ?, ?, ?)
ON CONFLICT (scope) DO UPDATE
SET key = excluded.key, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at

-- name: known_scopes
-- Idempotency entries by scope (hex digits).
SELECT scope, key, fingerprint, expires_at FROM idempotency
WHERE scope IN (SELECT unhex(value) FROM json_each(?))
    AND EXISTS (SELECT 1 FROM transactions WHERE transactions.key = idempotency.key)

-- name: make_readable
-- A replay makes an error that was read, or is being read just now, readable once more.
UPDATE transactions SET reading = 0 WHERE reading > 0 AND key IN (SELECT value FROM json_each(?))

-- name: apply_changes
-- The version check: a row moves on only from the sequence and attempt its change starts from.
UPDATE transactions
SET status = c.column4, outcome = c.column5, phase = c.column6, sequence = c.column7, attempt = c.column8,
    doubtful = c.column9, updated_at = c.column10, due_at = c.column11, result_status = c.column12
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) AS c
WHERE key = c.column1 AND transactions.sequence = c.column2 AND transactions.attempt = c.column3

-- name: apply_changes_and_sweeps
-- The same for changes that also move `sweep_at`; the others leave its index alone.
UPDATE transactions
SET status = c.column4, outcome = c.column5, phase = c.column6, sequence = c.column7, attempt = c.column8,
    doubtful = c.column9, updated_at = c.column10, due_at = c.column11, result_status = c.column12,
    sweep_at = c.column13
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) AS c
WHERE key = c.column1 AND transactions.sequence = c.column2 AND transactions.attempt = c.column3

-- name: reserve_reading
-- For the reader ?2; who asks again has it already.
UPDATE transactions SET reading = 1, reader = ?2
WHERE key = ?1 AND (reading = 0 OR reading = 1 AND reader = ?2)
RETURNING reader

-- name: settle_reading
-- Only by the reader whose turn it still is: after a replay it may be another's.
UPDATE transactions SET reading = ? WHERE key = ? AND reading = 1 AND reader = ?

-- name: renew
-- Leases: only what is being sent, and is not finished, has one.
UPDATE transactions SET due_at = ?
WHERE phase = 1 AND status < 2 AND key IN (SELECT value FROM json_each(?))

-- name: probe
UPDATE meta SET probes = probes + 1

-- name: insert_chunk
INSERT OR REPLACE INTO chunks (key, attempt, position, data) VALUES (?, ?, ?, ?)

-- name: insert_loose
INSERT OR IGNORE INTO loose (key, attempt) VALUES (?, ?)

-- name: delete_loose
DELETE FROM loose WHERE key = ? AND attempt = ?

-- name: is_loose
SELECT count(*) FROM loose WHERE key = ? AND attempt = ?

-- name: all_loose
SELECT key, attempt FROM loose

-- name: delete_pieces
-- Some pieces of one body.
DELETE FROM chunks WHERE rowid IN (SELECT rowid FROM chunks WHERE key = ? AND attempt = ? LIMIT ?)

-- name: loosen_bodies
-- Whatever is in chunks under these keys.
INSERT OR IGNORE INTO loose (key, attempt)
SELECT DISTINCT key, attempt FROM chunks WHERE key IN (SELECT value FROM json_each(?))

-- name: loose_bodies_of
SELECT key, attempt FROM loose WHERE key IN (SELECT value FROM json_each(?))

-- name: delete_idempotency
-- Only entries that still lead to these transactions.
DELETE FROM idempotency
WHERE key IN (SELECT value FROM json_each(?1)) AND scope IN (
    SELECT scope FROM requests WHERE scope IS NOT NULL AND key IN (SELECT value FROM json_each(?1))
)

-- name: delete_requests
DELETE FROM requests WHERE key IN (SELECT value FROM json_each(?))

-- name: delete_results
DELETE FROM results WHERE key IN (SELECT value FROM json_each(?))

-- name: delete_events
DELETE FROM events WHERE key IN (SELECT value FROM json_each(?))

-- name: delete_transactions
DELETE FROM transactions WHERE key IN (SELECT value FROM json_each(?))

-- name: move_sweeps
UPDATE transactions SET sweep_at = c.column2 FROM (VALUES (?, ?)) AS c WHERE key = c.column1

-- name: secret
SELECT secret FROM meta

-- name: sealing
SELECT sealing FROM meta

-- name: mark_sealing
-- Unless there is a mark already. What is there was hashed otherwise.
UPDATE meta SET sealing = ?, former_until = (SELECT ifnull(max(expires_at), 0) FROM idempotency)
WHERE sealing IS NULL

-- name: former_until
SELECT former_until FROM meta

-- name: oldest
-- Of the first key. Numbers are used within an hour of being taken, so none was accepted earlier than an hour before.
SELECT created_at FROM transactions WHERE key = (SELECT min(key) FROM transactions)

-- name: insert_meta
INSERT INTO meta (secret, probes) VALUES (?, 0)

-- name: last_key
-- The largest key that anything is kept under.
SELECT max(ifnull((SELECT max(key) FROM transactions), 0), ifnull((SELECT max(key) FROM chunks), 0),
    ifnull((SELECT max(key) FROM loose), 0))

-- name: count_transactions
SELECT count(*) FROM transactions

-- name: keys_after
SELECT json_group_array(key) FROM (SELECT key FROM transactions WHERE key > ? ORDER BY key LIMIT ?)

-- name: scopes_of
-- Idempotency entries that lead to these transactions.
SELECT requests.key, idempotency.scope, idempotency.fingerprint
FROM requests JOIN idempotency ON idempotency.scope = requests.scope AND idempotency.key = requests.key
WHERE requests.key IN (SELECT value FROM json_each(?))

-- name: count_unfinished
-- Of each tenant how many are not finished, and how many of these were being sent.
SELECT tenant, count(*), sum(phase = 1) FROM transactions INDEXED BY turns WHERE status < 2 GROUP BY tenant

-- name: lapse_all
-- The process that was sending these is dead.
UPDATE transactions SET due_at = 0 WHERE key IN (
    SELECT key FROM transactions INDEXED BY turns WHERE status < 2 AND phase = 1
)

-- name: unreserve_all
-- The process that was serving these readers is dead.
UPDATE transactions SET reading = 0 WHERE key IN (
    SELECT key FROM transactions INDEXED BY reservations WHERE reading = 1
)

-- name: transactions
-- Rows as one JSON array of arrays: one step, however many there are.
SELECT json_group_array(json_array(
    key, hex(id), tenant, created_at, updated_at, status, outcome, phase, sequence, attempt, doubtful, dialect,
    method, path, query, operation, upstream, priority, tracking_id, due_at, deadline, expires_at, sweep_at,
    result_status, reading, hex(retry_of), callback
)) FROM transactions WHERE key IN (SELECT value FROM json_each(?))

-- name: owned_keys
-- Asked for with arrays of key and tenant.
SELECT transactions.key FROM json_each(?) AS asked CROSS JOIN transactions
WHERE transactions.key = asked.value ->> 0 AND tenant = asked.value ->> 1

-- name: events
-- Asked for with arrays of key, after, limit; each row begins with the place of the array that it answers.
-- Sequences have no gaps: so many events are so many numbers.
SELECT json_group_array(json_array(place, sequence, kind, message, data, status, created_at))
FROM (
    SELECT asked.key AS place, events.* FROM json_each(?) AS asked CROSS JOIN events
    WHERE events.key = asked.value ->> 0 AND sequence > asked.value ->> 1
        AND sequence <= (asked.value ->> 1) + (asked.value ->> 2)
    ORDER BY place, sequence
)

-- name: requests
SELECT key, headers, size, body FROM requests WHERE key IN (SELECT value FROM json_each(?))

-- name: small_requests
-- Requests that may wait in memory.
SELECT key, headers, size, body FROM requests
WHERE size <= ?2 AND body IS NOT NULL AND key IN (SELECT value FROM json_each(?1))

-- name: results
SELECT key, status, headers, size, body, attempt FROM results
WHERE key IN (SELECT value FROM json_each(?))

-- name: chunk
SELECT data FROM chunks WHERE key = ? AND attempt = ? AND position = ?

-- name: is_paused
SELECT count(*) FROM pauses WHERE upstream = ?

-- name: paused
SELECT json_group_array(upstream) FROM pauses

-- name: pause
INSERT OR IGNORE INTO pauses (upstream) VALUES (?)

-- name: resume
DELETE FROM pauses WHERE upstream = ?

-- name: lines
-- The next ?3 tenants behind ?2 that have anything unfinished at an upstream, each with its priorities, highest
-- first, and whether anything is due there that is not held (?5): a few index steps for each.
WITH RECURSIVE line (tenant) AS (
    SELECT min(tenant) FROM transactions WHERE upstream = ?1 AND status < 2 AND tenant > ?2
    UNION ALL
    SELECT (SELECT min(tenant) FROM transactions WHERE upstream = ?1 AND status < 2 AND tenant > line.tenant)
    FROM line WHERE line.tenant IS NOT NULL
    LIMIT ?3
), level (tenant, priority) AS (
    SELECT tenant, (
        SELECT max(priority) FROM transactions WHERE upstream = ?1 AND status < 2 AND tenant = line.tenant
    ) FROM line WHERE tenant IS NOT NULL
    UNION ALL
    SELECT tenant, (
        SELECT max(priority) FROM transactions
        WHERE upstream = ?1 AND status < 2 AND tenant = level.tenant AND priority < level.priority
    ) FROM level WHERE level.priority IS NOT NULL
)
SELECT json_group_array(json_array(tenant, priority, EXISTS (
    SELECT 1 FROM transactions INDEXED BY turns
    WHERE upstream = ?1 AND status < 2 AND tenant = level.tenant AND priority = level.priority
        AND due_at <= ?4 AND key NOT IN (SELECT value FROM json_each(?5))
))) FROM level WHERE priority IS NOT NULL

-- name: due
-- Asked for with arrays of tenant, priority: of each the first ?4 keys that are due and not held (?5).
SELECT json_group_array(json(keys)) FROM (
    SELECT (
        SELECT json_group_array(key) FROM (
            SELECT key FROM transactions INDEXED BY turns
            WHERE upstream = ?1 AND status < 2 AND tenant = asked.value ->> 0 AND priority = asked.value ->> 1
                AND due_at <= ?3 AND key NOT IN (SELECT value FROM json_each(?5))
            ORDER BY due_at, key LIMIT ?4
        )
    ) AS keys FROM json_each(?2) AS asked
)

-- name: next_due
-- The earliest moment after ?2: a few index steps for each tenant and priority.
WITH RECURSIVE line (tenant) AS (
    SELECT min(tenant) FROM transactions WHERE upstream = ?1 AND status < 2
    UNION ALL
    SELECT (SELECT min(tenant) FROM transactions WHERE upstream = ?1 AND status < 2 AND tenant > line.tenant)
    FROM line WHERE line.tenant IS NOT NULL
), level (tenant, priority) AS (
    SELECT tenant, (
        SELECT max(priority) FROM transactions WHERE upstream = ?1 AND status < 2 AND tenant = line.tenant
    ) FROM line WHERE tenant IS NOT NULL
    UNION ALL
    SELECT tenant, (
        SELECT max(priority) FROM transactions
        WHERE upstream = ?1 AND status < 2 AND tenant = level.tenant AND priority < level.priority
    ) FROM level WHERE level.priority IS NOT NULL
)
SELECT min((
    SELECT min(due_at) FROM transactions INDEXED BY turns
    WHERE upstream = ?1 AND status < 2 AND tenant = level.tenant AND priority = level.priority AND due_at > ?2
)) FROM level WHERE priority IS NOT NULL

-- name: loads
-- Of each upstream how many are not finished, and how many of these are being sent.
SELECT json_group_array(json_array(upstream, unfinished, sending)) FROM (
    SELECT upstream, count(*) AS unfinished, sum(phase = 1) AS sending
    FROM transactions INDEXED BY turns WHERE status < 2 GROUP BY upstream
)

-- name: lapsed
-- What is not finished comes first.
SELECT json_group_array(key) FROM (
    SELECT key FROM (
        SELECT key FROM transactions INDEXED BY deadlines
        WHERE status < 2 AND sweep_at <= ?1 ORDER BY sweep_at, key LIMIT ?2
    )
    UNION ALL
    SELECT key FROM (
        SELECT key FROM transactions INDEXED BY ends
        WHERE status >= 2 AND sweep_at <= ?1 ORDER BY sweep_at, key LIMIT ?2
    )
    LIMIT ?2
)

-- name: next_lapse
-- The earliest deadline up to ?.
SELECT sweep_at FROM transactions INDEXED BY deadlines
WHERE sweep_at <= ? AND status < 2 ORDER BY sweep_at LIMIT 1

-- name: cursor
-- Where a page goes on: when the row was created, or the next newer one where it is gone.
SELECT created_at FROM transactions NOT INDEXED WHERE key >= ?1 ORDER BY key LIMIT 1

-- name: runs
-- The combinations of status, operation and dialect that a tenant has: a few index steps each.
WITH RECURSIVE run (status, operation, dialect) AS (
    SELECT * FROM (
        SELECT status, operation, dialect FROM transactions INDEXED BY lists
        WHERE tenant = ?1 ORDER BY status, operation, dialect LIMIT 1
    )
    UNION ALL
    SELECT first.status, first.operation, first.dialect FROM run, transactions AS first
    WHERE first.key = coalesce((
        SELECT key FROM transactions INDEXED BY lists
        WHERE tenant = ?1 AND status = run.status AND operation = run.operation AND dialect > run.dialect
        ORDER BY dialect LIMIT 1
    ), (
        SELECT key FROM transactions INDEXED BY lists
        WHERE tenant = ?1 AND status = run.status AND operation > run.operation
        ORDER BY operation, dialect LIMIT 1
    ), (
        SELECT key FROM transactions INDEXED BY lists
        WHERE tenant = ?1 AND status > run.status ORDER BY status, operation, dialect LIMIT 1
    ))
)
SELECT json_group_array(json_array(status, operation, dialect)) FROM run

-- name: free_pages
-- Pages of the file that are used again before it grows, and their size.
SELECT freelist_count, page_size FROM pragma_freelist_count, pragma_page_size

-- name: endpoints
SELECT content FROM endpoints ORDER BY number

-- name: insert_endpoint
-- Only where the tenant has fewer than ?5.
INSERT INTO endpoints (id, tenant, version, content)
SELECT ?1, ?2, ?3, ?4 WHERE (SELECT count(*) FROM endpoints WHERE tenant = ?2) < ?5
ON CONFLICT (id) DO NOTHING

-- name: replace_endpoint
UPDATE endpoints SET content = ?4, version = ?3 WHERE id = ?1 AND tenant = ?2 AND version = ?3 - 1

-- name: delete_endpoint
DELETE FROM endpoints WHERE id = ? AND version = ?

-- name: insert_deliveries
INSERT INTO deliveries (
    id, tenant, endpoint, lane, url, key, transaction_id, sequence, body, state, attempt, tried, due_at, created_at,
    ended_at, code
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING

-- name: insert_feed
INSERT INTO feed (tenant, key, id, behind, last, at) VALUES (?, ?, ?, ?, ?, ?)

-- name: take_deliveries
-- Of lane ?1 the first ?3 that are due at ?2, lent out until ?4. (core.delivery.send)
UPDATE deliveries SET state = 1, attempt = attempt + 1, due_at = ?4 WHERE number IN (
    SELECT number FROM deliveries INDEXED BY lanes
    WHERE lane = ?1 AND state < 2 AND due_at <= ?2 ORDER BY due_at, number LIMIT ?3
)
RETURNING number

-- name: give_back_deliveries
UPDATE deliveries SET due_at = ?3 WHERE lane = ?1 AND state < 2 AND due_at = ?2 AND state = 1

-- name: settle_delivery
-- The version check: only from the state and attempt that it starts from.
UPDATE deliveries SET state = ?, tried = ?, due_at = ?, ended_at = ?, code = ?
WHERE number = ? AND state = ? AND attempt = ?

-- name: insert_attempts
INSERT OR REPLACE INTO attempts (delivery, number, at, duration, carried, reason, code, answer)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: errands
-- Deliveries by number, each with the event that its endpoint was told before of the same transaction.
SELECT number, lower(hex(id)), tenant, endpoint, lane, url, key, hex(transaction_id), sequence, body, state, attempt,
    tried, due_at, created_at, ended_at, code, (
        SELECT max(before.sequence) FROM deliveries AS before
        WHERE before.key = d.key AND before.endpoint = d.endpoint AND before.sequence < d.sequence AND d.key > 0
    )
FROM deliveries AS d WHERE number IN (SELECT value FROM json_each(?)) ORDER BY due_at, number

-- name: lane_dues
-- Of each of these lanes (a JSON array) the earliest moment.
SELECT value, (SELECT min(due_at) FROM deliveries INDEXED BY lanes WHERE lane = value AND state < 2)
FROM json_each(?)

-- name: all_lane_dues
-- Of all lanes, the first ?2 behind ?1 by name: two index steps for each.
WITH RECURSIVE line (lane) AS (
    SELECT min(lane) FROM deliveries INDEXED BY lanes WHERE state < 2 AND lane > ?1
    UNION ALL
    SELECT (SELECT min(lane) FROM deliveries INDEXED BY lanes WHERE state < 2 AND lane > line.lane)
    FROM line WHERE line.lane IS NOT NULL
    LIMIT ?2
)
SELECT lane, (SELECT min(due_at) FROM deliveries INDEXED BY lanes WHERE lane = line.lane AND state < 2)
FROM line WHERE lane IS NOT NULL

-- name: deliveries_after
SELECT number FROM deliveries WHERE number > ? ORDER BY number LIMIT ?

-- name: feed_after
SELECT number, tenant, key, lower(hex(id)), behind, last, at FROM feed WHERE number > ? ORDER BY number LIMIT ?

-- name: delivery_numbers
SELECT number, lower(hex(id)), created_at, endpoint FROM deliveries WHERE id IN (SELECT unhex(value) FROM json_each(?))

-- name: delivery_page
-- The newest of an endpoint in one state, within a span, older than a place.
SELECT number FROM deliveries INDEXED BY delivery_lists
WHERE endpoint = ?1 AND state = ?2 AND created_at BETWEEN ?3 AND ?4 AND (created_at, number) < (?5, ?6)
ORDER BY created_at DESC, number DESC LIMIT ?7

-- name: attempts
SELECT delivery, number, at, duration, carried, reason, code, answer FROM attempts
WHERE delivery IN (SELECT value FROM json_each(?)) ORDER BY delivery, number

-- name: old_deliveries
-- Made before ?1, and over, or nobody sends them.
SELECT number FROM deliveries INDEXED BY delivery_ages
WHERE created_at < ?1 AND (state >= 2 OR due_at < ?1) ORDER BY created_at LIMIT ?2

-- name: deliveries_of
SELECT number FROM deliveries INDEXED BY delivery_events WHERE key IN (SELECT value FROM json_each(?))

-- name: delete_attempts
DELETE FROM attempts WHERE delivery IN (SELECT value FROM json_each(?))

-- name: delete_deliveries
DELETE FROM deliveries WHERE number IN (SELECT value FROM json_each(?))

-- name: delete_feed
-- The oldest ?2, as far as they are from before ?1; never the newest.
DELETE FROM feed WHERE at < ?1 AND number IN (SELECT number FROM feed ORDER BY number LIMIT ?2)
    AND number < (SELECT max(number) FROM feed)

-- name: feed
SELECT number, key, lower(hex(id)), behind, last FROM feed INDEXED BY feeds
WHERE tenant = ? AND number > ? ORDER BY number LIMIT ?

-- name: feed_end
SELECT max(number) FROM feed

-- name: insert_access_keys
INSERT INTO access_keys (id, digest, tenant, scopes, created_at, expires_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: access_keys_by_digest
-- Hashes come as hex digits.
SELECT id, digest, tenant, scopes, created_at, expires_at, revoked_at FROM access_keys
WHERE digest IN (SELECT unhex(value) FROM json_each(?))

-- name: access_keys_of
SELECT id, digest, tenant, scopes, created_at, expires_at, revoked_at FROM access_keys
WHERE tenant = ? AND id < ? ORDER BY id DESC LIMIT ?

-- name: all_access_keys
SELECT id, digest, tenant, scopes, created_at, expires_at, revoked_at FROM access_keys
WHERE id < ? ORDER BY id DESC LIMIT ?

-- name: revoke_access_key
UPDATE access_keys SET revoked_at = coalesce(revoked_at, ?3) WHERE id = ?1 AND ?2 IN (tenant, '*')
RETURNING id, digest, tenant, scopes, created_at, expires_at, revoked_at

-- name: replace_request_headers
UPDATE requests SET headers = ? WHERE key = ?

-- name: sweep_access_keys
DELETE FROM access_keys WHERE id IN (
    SELECT id FROM access_keys
    WHERE min(coalesce(revoked_at, expires_at), coalesce(expires_at, revoked_at)) < ? LIMIT ?
)

-- name: stored
-- The requests of a page with their results: bytes by tenant and upstream, and the last key.
WITH page AS MATERIALIZED (
    SELECT key, size + length(headers) AS bytes FROM requests WHERE key > ? ORDER BY key LIMIT ?
)
SELECT tenant, upstream, sum(page.bytes + ifnull(results.size + length(results.headers), 0)), max(page.key)
FROM page CROSS JOIN transactions ON transactions.key = page.key LEFT JOIN results ON results.key = page.key
GROUP BY tenant, upstream

-- name: counted
SELECT place FROM counted

-- name: move_counted
UPDATE counted SET place = ?2 WHERE place = ?1

-- name: feed_places
SELECT max(number), count(*) FROM (SELECT number FROM feed WHERE number > ? ORDER BY number LIMIT ?)

-- name: new_figures
-- Of the entries behind ?1, up to ?2, what is to be added to the figures of minutes. A note behind the end is of
-- another kind than the end. Steps: core.figures.step_of.
WITH told AS MATERIALIZED (
    SELECT t.tenant, t.upstream, t.outcome, t.result_status AS code, e.created_at / 60000000 AS minute,
        e.sequence, e.kind, e.status,
        100 + min(99, max(0, CAST(floor(4 * log2(max(e.created_at - t.created_at, 1) / 1000.0) + 1e-9) AS INTEGER))) AS step
    FROM feed CROSS JOIN transactions AS t CROSS JOIN events AS e
    WHERE feed.number > ?1 AND feed.number <= ?2 AND t.key = feed.key
        AND e.key = feed.key AND e.sequence > feed.behind AND e.sequence <= feed.last
), single AS (
    SELECT tenant, minute, upstream, 0 AS what FROM told WHERE sequence = 1
    UNION ALL SELECT tenant, minute, upstream, status - 1 FROM told WHERE status >= 2 AND kind < 2
    UNION ALL SELECT tenant, minute, upstream, step FROM told WHERE status IN (2, 3) AND kind < 2
    UNION ALL SELECT tenant, minute, upstream, step + 100 FROM told WHERE status = 1 AND kind = 0
    UNION ALL SELECT tenant, minute, upstream, 4 FROM told WHERE kind = 3
    UNION ALL SELECT tenant, minute, upstream, 5 FROM told
    WHERE status = 3 AND kind < 2 AND (outcome IN (1, 2, 3) OR (outcome = 0 AND code >= 500))
    UNION ALL SELECT tenant, minute, upstream, 6 FROM told WHERE status = 3 AND kind < 2 AND outcome = 1
)
SELECT json_group_array(json_array(tenant, minute, upstream, what, much)) FROM (
    SELECT tenant, minute, upstream, what, count(*) AS much FROM single GROUP BY tenant, minute, upstream, what
)

-- name: add_figures
INSERT INTO figures (tenant, minutes, at, upstream, what, count) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant, minutes, at, upstream, what) DO UPDATE SET count = count + excluded.count

-- name: figures
SELECT json_group_array(json_array(place, upstream, what, much)) FROM (
    SELECT (at - ?3) / ?5 AS place, upstream, what, sum(count) AS much FROM figures
    WHERE tenant = ?1 AND minutes = ?2 AND at >= ?3 AND at < ?3 + ?4 * ?5 GROUP BY place, upstream, what
)

-- name: counted_tenants
SELECT json_group_array(json_array(tenant, much)) FROM (
    SELECT tenant, sum(count) AS much FROM figures INDEXED BY figure_ages
    WHERE minutes = 60 AND at >= ?1 AND what = 0 AND tenant <> '*' GROUP BY tenant ORDER BY much DESC, tenant LIMIT ?2
)

-- name: sweep_figures
DELETE FROM figures WHERE (tenant, minutes, at, upstream, what) IN (
    SELECT tenant, minutes, at, upstream, what FROM figures INDEXED BY figure_ages
    WHERE minutes = ?1 AND at < ?2 ORDER BY at LIMIT ?3
)

-- name: pending_figures
-- By place: of one run what has not been begun, in its index.
SELECT json_group_array(json_array(place, much)) FROM (
    SELECT (created_at / 60000000 - ?2) / ?3 AS place, count(*) AS much FROM transactions INDEXED BY lists
    WHERE tenant = ?1 AND status = 0 AND operation = ?4 AND dialect = ?5 AND created_at >= ?2 * 60000000
    GROUP BY place
)

-- name: next_tenant
SELECT min(tenant) FROM transactions INDEXED BY lists WHERE tenant > ?

-- name: ahead
SELECT count(*) FROM (
    SELECT 1 FROM transactions INDEXED BY turns
    WHERE upstream = ?1 AND status < 2 AND tenant = ?2
        AND (priority > ?3 OR (priority = ?3 AND (due_at, key) < (?4, ?5)))
    LIMIT ?6
)

-- name: tenants_in_line
WITH RECURSIVE line (tenant) AS (
    SELECT min(tenant) FROM transactions INDEXED BY turns WHERE upstream = ?1 AND status < 2
    UNION ALL
    SELECT (
        SELECT min(tenant) FROM transactions INDEXED BY turns
        WHERE upstream = ?1 AND status < 2 AND tenant > line.tenant
    ) FROM line WHERE line.tenant IS NOT NULL
    LIMIT ?2
)
SELECT count(tenant) FROM line

-- name: with_code
-- Between two keys; ids have no index, and what is read is bounded by the keys.
SELECT key FROM transactions NOT INDEXED
WHERE key >= ?1 AND key < ?2 AND substr(id, 1, length(?3)) = ?3 AND (?4 = '*' OR tenant = ?4) ORDER BY key DESC

-- name: newest_key
SELECT max(key) FROM transactions

-- name: deliveries_about
SELECT number FROM deliveries INDEXED BY delivery_events WHERE key = ? ORDER BY endpoint, sequence LIMIT ?
