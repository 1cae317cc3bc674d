-- Where a process runs, so that whoever is started on the same machine can tell that it has ended.
ALTER TABLE restante.nodes ADD COLUMN machine text, ADD COLUMN process integer;

-- What has been begun and is nobody's at the moment (the next attempt, a report or a look-up is waited for), for
-- lists of what is being processed; what is held stands in `holds`. A process of the version before does not set it.
ALTER TABLE restante.ready ADD COLUMN begun boolean NOT NULL DEFAULT false;
CREATE INDEX begun ON restante.ready (tenant, created_at, key) WHERE begun;
