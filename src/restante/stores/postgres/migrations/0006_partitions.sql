-- The tables change places with partitioned ones, in a moment. A process of the version before finds the new ones by
-- their names and writes plain keys, into the first partition. `sweeps` is there only: of the others what has ended
-- goes with its partition.
SET LOCAL lock_timeout = '500ms';
LOCK TABLE restante.transactions, restante.events, restante.endings, restante.requests, restante.results,
    restante.chunks IN ACCESS EXCLUSIVE MODE;

ALTER TABLE restante.transactions RENAME TO transactions_plain;
ALTER INDEX restante.transactions_pkey RENAME TO transactions_plain_pkey;
CREATE TABLE restante.transactions (
    LIKE restante.transactions_plain INCLUDING DEFAULTS INCLUDING STORAGE,
    PRIMARY KEY (key)
) PARTITION BY RANGE (key);

ALTER TABLE restante.events RENAME TO events_plain;
ALTER INDEX restante.events_pkey RENAME TO events_plain_pkey;
CREATE TABLE restante.events (
    LIKE restante.events_plain INCLUDING DEFAULTS INCLUDING STORAGE,
    PRIMARY KEY (key, sequence)
) PARTITION BY RANGE (key);

ALTER TABLE restante.endings RENAME TO endings_plain;
ALTER INDEX restante.endings_pkey RENAME TO endings_plain_pkey;
CREATE TABLE restante.endings (
    LIKE restante.endings_plain INCLUDING DEFAULTS INCLUDING STORAGE,
    PRIMARY KEY (tenant, status, created_at, key)
) PARTITION BY RANGE (key);

ALTER TABLE restante.requests RENAME TO requests_plain;
ALTER INDEX restante.requests_pkey RENAME TO requests_plain_pkey;
CREATE TABLE restante.requests (
    LIKE restante.requests_plain INCLUDING DEFAULTS INCLUDING STORAGE,
    PRIMARY KEY (key)
) PARTITION BY RANGE (key);

ALTER TABLE restante.results RENAME TO results_plain;
ALTER INDEX restante.results_pkey RENAME TO results_plain_pkey;
CREATE TABLE restante.results (
    LIKE restante.results_plain INCLUDING DEFAULTS INCLUDING STORAGE,
    PRIMARY KEY (key)
) PARTITION BY RANGE (key);

ALTER TABLE restante.chunks RENAME TO chunks_plain;
ALTER INDEX restante.chunks_pkey RENAME TO chunks_plain_pkey;
CREATE TABLE restante.chunks (
    LIKE restante.chunks_plain INCLUDING DEFAULTS INCLUDING STORAGE,
    PRIMARY KEY (key, attempt, position)
) PARTITION BY RANGE (key);

ALTER INDEX restante.lists RENAME TO plain_lists;
ALTER INDEX restante.trackings RENAME TO plain_trackings;
ALTER INDEX restante.paths RENAME TO plain_paths;
ALTER INDEX restante.operations RENAME TO plain_operations;
ALTER INDEX restante.reservations RENAME TO plain_reservations;
CREATE INDEX lists ON restante.transactions (tenant, created_at, key);
CREATE INDEX trackings ON restante.transactions (tenant, tracking_id, created_at, key)
    WHERE tracking_id IS NOT NULL;
CREATE INDEX paths ON restante.transactions (tenant, hashtextextended(path, 0), created_at, key);
CREATE INDEX operations ON restante.transactions (tenant, operation, created_at, key);
CREATE INDEX reservations ON restante.transactions (reader) WHERE reading = 1;

ALTER TABLE restante.transactions ATTACH PARTITION restante.transactions_plain FOR VALUES FROM (MINVALUE) TO (70370891661312);
ALTER TABLE restante.events ATTACH PARTITION restante.events_plain FOR VALUES FROM (MINVALUE) TO (70370891661312);
ALTER TABLE restante.endings ATTACH PARTITION restante.endings_plain FOR VALUES FROM (MINVALUE) TO (70370891661312);
ALTER TABLE restante.requests ATTACH PARTITION restante.requests_plain FOR VALUES FROM (MINVALUE) TO (70370891661312);
ALTER TABLE restante.results ATTACH PARTITION restante.results_plain FOR VALUES FROM (MINVALUE) TO (70370891661312);
ALTER TABLE restante.chunks ATTACH PARTITION restante.chunks_plain FOR VALUES FROM (MINVALUE) TO (70370891661312);
