"""How the file is: its size and its log's, what of it is free, and the room on its disk."""

import os
from contextlib import suppress

from ...ports import Measure, StoreHealth
from .database import Database

WAL_LIMIT_BYTES = 256 * 1024 * 1024
"""The log is put into the file every few MiB; it grows where another program looks at the file for long."""

ROOM_SHARE = 2
"""So many times the reserve must be free: at once the reserve, new work is refused."""


def health_of(database: Database, *, reserve: int) -> StoreHealth:
    """By a look at the file system; raises OSError where the file is gone."""
    path = database.connection.filename
    log = 0
    with suppress(FileNotFoundError):  # it comes with the first write
        log = os.stat(f"{path}-wal").st_size
    pages, size = database.rows("free_pages")[0]
    disk = os.statvfs(path)
    return StoreHealth(
        (
            Measure("file_bytes", os.stat(path).st_size),
            Measure("log_bytes", log, WAL_LIMIT_BYTES),
            Measure("free_in_file_bytes", pages * size),
            Measure("free_on_disk_bytes", disk.f_bavail * disk.f_frsize, ROOM_SHARE * reserve, least=True),
        )
    )
