-- Reads every row, and holds up neither readers nor writers.
ALTER TABLE restante.transactions VALIDATE CONSTRAINT plain;
ALTER TABLE restante.events VALIDATE CONSTRAINT plain;
ALTER TABLE restante.endings VALIDATE CONSTRAINT plain;
ALTER TABLE restante.requests VALIDATE CONSTRAINT plain;
ALTER TABLE restante.results VALIDATE CONSTRAINT plain;
ALTER TABLE restante.chunks VALIDATE CONSTRAINT plain;
