"""What may happen to a transaction. No socket, no clock, no database, no chance."""
