-- Idempotency keys are kept under keyed hashes from now on. Until then there may be some that were hashed otherwise.
ALTER TABLE meta ADD COLUMN former_until INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET former_until = (SELECT ifnull(max(expires_at), 0) FROM idempotency);
