"""The store in one SQLite file, for one server process.

Writes go through one thread, or one process, that commits in groups (`writer`); reads have threads and
connections of their own (`reader`, `turns`, `search`, `outbox`), so that nothing heavy stands in the way of a
look-up.
"""

from .store import SQLiteStore

__all__ = ["SQLiteStore"]
