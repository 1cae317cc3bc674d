-- The id of the finished transaction that this one does again.
ALTER TABLE transactions ADD COLUMN retry_of BLOB;
