-- The number of the last reader that reserved the answer: who is not that one any more settles nothing.
ALTER TABLE transactions ADD COLUMN reader INTEGER NOT NULL DEFAULT 0;
