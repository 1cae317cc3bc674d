-- Upstreams whose turn does not come.
CREATE TABLE restante.pauses (
    upstream text COLLATE "C" PRIMARY KEY
);
