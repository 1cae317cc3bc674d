"""Opening a file: the lock, the migrations, and what a process that died has left behind.

Whatever is wrong with the path or the file is a `SettingError` of one line, named `store`.
"""

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress

import apsw
import msgspec

from ...core.errors import SettingError
from ..queued import Queued
from .database import Database
from .memory import Memory
from .migrate import migrate

WRITER_CACHE_KIB = 16 * 1024
READER_CACHE_KIB = 8 * 1024
READERS = 4

LOCK_SECONDS = 2.0
LOCK_LOOK_SECONDS = 0.01
"""How long the lock of a server that was killed is waited for: its writing process ends its commit."""


class OpenFile(msgspec.Struct, kw_only=True):
    """A file that is this process's own, and what was read from it at the start."""

    lock: int
    databases: list[Database]  # the writer's first
    secret: bytes
    sealing: bytes | None
    former_until: int
    memory: Memory
    loose: list[tuple[int, int]]  # bodies that nothing refers to: key, attempt

    def close(self) -> None:
        _close(self.databases, self.lock)


def open_file(path: str, *, vfs: str | None, chance: Callable[[int], bytes] = os.urandom) -> OpenFile:
    """Opens or creates the file at `path`: first the writing connection, then those that read."""
    if not path or path == ":memory:":
        raise SettingError("store", "a path to a file is needed")
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise SettingError("store", f"{path} cannot be opened: there is no folder {folder}")
    lock = take_file(path, create=True)
    databases: list[Database] = []
    try:
        writer = Database(path, cache_kib=WRITER_CACHE_KIB, vfs=vfs, create=True)
        databases.append(writer)
        migrate(writer, path, chance)
        queued = _take_over(writer)
        for _ in range(READERS):
            databases.append(Database(path, cache_kib=READER_CACHE_KIB, vfs=vfs))
        return OpenFile(
            lock=lock,
            databases=databases,
            secret=writer.value("secret"),
            sealing=writer.value("sealing"),
            former_until=writer.value("former_until"),
            memory=Memory(queued=Queued(queued), next_key=writer.value("last_key") + 1),
            loose=[(row[0], row[1]) for row in writer.rows("all_loose")],
        )
    except BaseException as error:
        _close(databases, lock)
        raise refused(path, error) from None


def cut_log(path: str) -> bool:
    """Puts the log into the file at `path`, which this process has open, and leaves it empty. False where
    somebody still reads from it."""
    database = Database(path, cache_kib=READER_CACHE_KIB)
    try:
        ((busy, _, _),) = database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return not busy
    finally:
        database.close()


def _close(databases: list[Database], lock: int) -> None:
    for database in reversed(databases):  # the writer last: it puts the log into the file
        with suppress(apsw.Error):  # everything is on disk; a log that cannot be put away now is read later
            database.close()
    leave_file(lock)


def leave_file(lock: int) -> None:
    """Lets others take it. All connections must be closed before."""
    _ours.discard(_number(os.fstat(lock)))
    os.close(lock)


def take_file(path: str, *, create: bool) -> int:
    """Takes the file itself for this process; the descriptor that holds it. Without `create` it must be
    there, and is only to be looked at.

    A file that this very process has open is told by its number before it is touched: closing another
    descriptor of it would end the locks that SQLite holds on it (POSIX, fcntl).
    """
    try:
        if os.path.exists(path) and _number(os.stat(path)) in _ours:
            raise _in_use(path)
        flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingError("store", f"{path} cannot be opened: {error.strerror}") from None
    patience = time.monotonic() + LOCK_SECONDS
    while not _locked(descriptor):
        if time.monotonic() > patience:
            os.close(descriptor)
            raise _in_use(path)
        time.sleep(LOCK_LOOK_SECONDS)
    _ours.add(_number(os.fstat(descriptor)))
    return descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _in_use(path: str) -> SettingError:
    return SettingError("store", f"{path} is in use by another server; one file has one server")


def _number(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


_ours: set[tuple[int, int]] = set()
"""The files that this process has open, by device and inode."""


def _take_over(database: Database) -> dict[str, int]:
    """Cleans up after the process before this one: what it was sending has lapsed, what it was handing
    over may be read again. How many transactions of each tenant are not finished."""
    database.run("begin")
    try:
        unfinished = database.rows("count_unfinished")
        if any(sending for _, _, sending in unfinished):
            database.run("lapse_all")
        database.run("unreserve_all")
        database.run("commit")
    finally:
        database.roll_back()
    return {tenant: count for tenant, count, _ in unfinished}


def refused(path: str, error: BaseException) -> BaseException:
    """What went wrong while opening, as a `SettingError` where it is about the file."""
    match error:
        case apsw.NotADBError() | apsw.CorruptError():
            return SettingError("store", f"{path} is not a database of Restante")
        case apsw.FullError():
            return SettingError("store", f"{path}: the disk is full")
        case apsw.BusyError() | apsw.LockedError():
            return SettingError("store", f"{path} is locked by another program")
        case apsw.Error():
            return SettingError("store", f"{path} cannot be opened for writing")
        case _:
            return error
