"""Room on the disk, and whether the file is still where it was.

Ending and forgetting work needs room too: for the log, for results, for the sweeper. So new work is refused
while there is less than `reserve` left, pages that are free within the file included. Without it a
disk that the store itself has filled could never be emptied again.
"""

import logging
import os

from ...core.errors import StoreUnavailable
from .database import RETRY_SECONDS, Database

log = logging.getLogger("restante.store")


class Disk:
    """Asked once per commit, by the writing thread. `file` is the descriptor that holds the lock."""

    def __init__(self, file: int, database: Database, *, reserve: int) -> None:
        self._file = file
        self._database = database
        self._reserve = reserve
        self._was_full = False

    def check_there(self) -> None:
        """Raises where the file was removed or replaced: what is written now, nobody would find again."""
        if os.fstat(self._file).st_nlink == 0:
            raise StoreUnavailable(
                "The store's file was removed; the server must be stopped.", retry_after_seconds=RETRY_SECONDS
            )

    def full(self) -> StoreUnavailable | None:
        """The refusal of new work, where there is too little room for it."""
        full = self._is_full()
        if full is not self._was_full:
            self._was_full = full
            if full:
                log.error(
                    "new work is refused: the disk has less than %d bytes left (reserve)", self._reserve
                )
            else:
                log.warning("there is room on the disk again: new work is accepted")
        if not full:
            return None
        return StoreUnavailable(
            f"The store's disk has less than {self._reserve} bytes left (reserve).",
            retry_after_seconds=RETRY_SECONDS,
        )

    def _is_full(self) -> bool:
        status = os.fstatvfs(self._file)
        free = status.f_bavail * status.f_frsize
        if free >= self._reserve:
            return False
        pages, size = self._database.rows("free_pages")[0]
        return bool(free + pages * size < self._reserve)
