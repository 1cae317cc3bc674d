"""A connection that runs named queries, and what its errors mean to the store's callers."""

from collections.abc import Sequence
from typing import Any

import apsw

from ...core.errors import RestanteError, StoreUnavailable
from .queries import QUERIES, many

BREAKDOWNS = (
    apsw.FullError,
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.CorruptError,
)
"""Errors that are about the disk and not about the row. They may pass."""

RETRY_SECONDS = 5

_PRAGMAS = """
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 1000;
PRAGMA journal_size_limit = 67108864;
PRAGMA secure_delete = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -{cache_kib};
"""


class Database:
    """One connection, used by one thread at a time."""

    def __init__(
        self, path: str, *, cache_kib: int, vfs: str | None = None, create: bool = False, look: bool = False
    ) -> None:
        flags = apsw.SQLITE_OPEN_READONLY if look else apsw.SQLITE_OPEN_READWRITE
        flags |= apsw.SQLITE_OPEN_CREATE if create else 0
        self.connection = apsw.Connection(path, flags, vfs, statementcachesize=200)
        self.connection.set_busy_timeout(10_000)
        self._cursor = self.connection.cursor()
        self._cursor.execute(_PRAGMAS.format(cache_kib=cache_kib)).fetchall()

    def run(self, name: str, bindings: Sequence[Any] = ()) -> int:
        """Runs a query to its end; the number of rows it changed."""
        self._cursor.execute(QUERIES[name], bindings).fetchall()
        return self.connection.changes()

    def rows(self, name: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._cursor.execute(QUERIES[name], bindings).fetchall()

    def value(self, name: str, bindings: Sequence[Any] = ()) -> Any:
        """The only column of the only row; None where there is none."""
        rows = self.rows(name, bindings)
        return rows[0][0] if rows else None

    def search(self, text: str, bindings: dict[str, Any]) -> list[tuple[Any, ...]]:
        """A query put together from constant parts."""
        return self._cursor.execute(text, bindings).fetchall()

    def many(self, name: str, rows: Sequence[Sequence[Any]]) -> bool:
        """Runs a query for all rows in few steps; False as soon as a row has not changed anything."""
        cursor = self._cursor
        for text, bindings, count in many(name, rows):
            cursor.execute(text, bindings)
            if self.connection.changes() != count:
                return False
        return True

    def roll_back(self) -> None:
        """Ends a transaction that went wrong, wherever it stands."""
        if not self.connection.get_autocommit():
            self.run("rollback")

    def close(self) -> None:
        self.connection.close()


def wrong(error: Exception) -> RestanteError:
    """An error as the store's callers see it: nothing raw from the driver."""
    if isinstance(error, RestanteError):
        return error
    if isinstance(error, BREAKDOWNS):
        refused: RestanteError = StoreUnavailable(
            "The store cannot be written or read at the moment.", retry_after_seconds=RETRY_SECONDS
        )
    else:
        refused = RestanteError("the store could not keep or find this")
    refused.__cause__ = error
    return refused
