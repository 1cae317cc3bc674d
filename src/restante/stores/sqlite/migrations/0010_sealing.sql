-- Left by whoever seals what is kept here, so that nobody reads or writes it without the keys. NULL: it is in clear.
ALTER TABLE meta ADD COLUMN sealing BLOB;
