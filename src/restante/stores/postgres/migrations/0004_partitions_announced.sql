-- What expires together will lie together, in partitions by key (stores/postgres/keys.py). The tables that there are
-- become the first partition, of plain keys. That they hold no others is promised here and checked in the next step,
-- while all goes on; so the last one need not look at any row.
SET LOCAL lock_timeout = '500ms';
ALTER TABLE restante.transactions ADD CONSTRAINT plain CHECK (key < 70370891661312) NOT VALID;
ALTER TABLE restante.events ADD CONSTRAINT plain CHECK (key < 70370891661312) NOT VALID;
ALTER TABLE restante.endings ADD CONSTRAINT plain CHECK (key < 70370891661312) NOT VALID;
ALTER TABLE restante.requests ADD CONSTRAINT plain CHECK (key < 70370891661312) NOT VALID;
ALTER TABLE restante.results ADD CONSTRAINT plain CHECK (key < 70370891661312) NOT VALID;
ALTER TABLE restante.chunks ADD CONSTRAINT plain CHECK (key < 70370891661312) NOT VALID;

-- The numbers in keys, given out in blocks of 1024. They come round again.
CREATE SEQUENCE restante.blocks AS integer MINVALUE 0 MAXVALUE 262143 CYCLE;

-- When what is not finished lapses. NULL: a version before wrote it, under a plain key.
ALTER TABLE restante.ready ADD COLUMN sweep_at bigint;
CREATE INDEX lapses ON restante.ready (sweep_at, key) WHERE sweep_at IS NOT NULL;
