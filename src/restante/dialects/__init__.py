"""How a transaction is spelled on the wire: pure functions from values to bodies. No socket, no store."""
