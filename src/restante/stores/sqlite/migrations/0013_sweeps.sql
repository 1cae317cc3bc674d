-- What has a deadline, and what has ended, each in the order in which it is looked for: a deadline does not wait
-- behind results that are to be removed.
CREATE INDEX deadlines ON transactions (sweep_at) WHERE status < 2;
CREATE INDEX ends ON transactions (sweep_at) WHERE status >= 2;
DROP INDEX sweeps;
