-- By itself, because it reads all that is queued, and locks only what it changes.
UPDATE restante.ready SET begun = true FROM restante.transactions AS t
WHERE t.key = ready.key AND t.status = 1 AND ready.hold IS NULL;
