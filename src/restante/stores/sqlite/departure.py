"""A file that is to be moved into another store: read whole, in order, and left as it was.

It is locked like a server's file, so that none serves it meanwhile, and opened for reading only. What a
server's start would write (what was being sent has lapsed, what was being read is unread) is told instead.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import apsw
import msgspec

from ...core.access import EVERYBODY, AccessKey
from ...core.delivery import Attempt, Delivery
from ...core.endpoint import Endpoint
from ...core.errors import SettingError
from ...core.feed import Kept
from ...core.model import Event, IdempotencyKey, Record, Transaction
from ...core.status import Phase, Reading
from ...ports import EVENTS
from . import keyring, outbox
from .database import Database
from .migrate import APPLICATION, migrations
from .opening import leave_file, refused, take_file
from .queries import numbers
from .reader import events, requests, results, transactions
from .rows import id_text, read_rows

LOG = "-wal"
BESIDE = (LOG, "-shm")

CACHE_KIB = 16 * 1024

RECORDS = 200
"""Transactions that are read at once: with bodies of 64 KiB each way, 25 MB at most."""

DELIVERIES = 1000
ENTRIES = 10_000
"""Deliveries with their attempts, and entries of the feed, that are read at once."""

FIRST_EVENTS = 20
"""Events that are read along with a transaction; few have more."""


class SQLiteDeparture:
    """Made by `open`, ended by `close`."""

    def __init__(self, path: str, lock: int, database: Database, *, bare: bool) -> None:
        self._path = path
        self._bare = bare  # nothing but the file was there
        self._lock = lock
        self._database = database

    @classmethod
    def open(cls, path: str) -> "SQLiteDeparture":
        """The file at `path`, which no server may have. Raises `SettingError`."""
        path = os.path.realpath(path)
        lock = take_file(path, create=False)
        database = None
        bare = not any(os.path.exists(path + suffix) for suffix in BESIDE)
        try:
            database = Database(path, cache_kib=CACHE_KIB, look=True)
            database.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            _check(database, path)
            database.run("snapshot")
            return cls(path, lock, database, bare=bare)
        except BaseException as error:
            if database is not None:
                database.close()
            if bare:
                _clear(path)
            leave_file(lock)
            raise refused(path, error) from None

    @property
    def secret(self) -> bytes:
        secret: bytes = self._database.value("secret")
        return secret

    @property
    def sealing(self) -> bytes | None:
        mark: bytes | None = self._database.value("sealing")
        return mark

    @property
    def last_key(self) -> int:
        return int(self._database.value("last_key"))

    @property
    def count(self) -> int:
        return int(self._database.value("count_transactions"))

    @property
    def paused(self) -> frozenset[str]:
        (names,) = read_rows(f"[{self._database.value('paused')}]")
        return frozenset(names)

    def access_keys(self, after: str | None) -> list[AccessKey]:
        with self._reading():
            return keyring.page(self._database, EVERYBODY, after, RECORDS)

    def records(self) -> Iterator[list[Record]]:
        last = 0
        while records := self._records(last):
            yield records
            last = records[-1].transaction.key

    def _records(self, after: int) -> list[Record]:
        database = self._database
        with self._reading():
            keys = msgspec.json.decode(database.value("keys_after", (after, RECORDS)), type=list[int])
            rows = transactions(database, keys)
            asked, answered = requests(database, keys), results(database, keys)
            logs = events(database, [(key, 0, FIRST_EVENTS) for key in keys])
            scopes = {row[0]: row[1:] for row in database.rows("scopes_of", (numbers(keys),))}
        return [
            Record(
                transaction=_left_behind(rows[key]),
                events=tuple(logs[key, 0, FIRST_EVENTS]),
                request=asked.get(key),
                result=answered.get(key),
                idempotency=IdempotencyKey(*scopes[key]) if key in scopes else None,
            )
            for key in keys
        ]

    def events(self, key: int, after: int) -> list[Event]:
        with self._reading():
            return events(self._database, [(key, after, EVENTS)]).get((key, after, EVENTS), [])

    def piece(self, key: int, attempt: int, position: int) -> bytes | None:
        with self._reading():
            found: bytes | None = self._database.value("chunk", (key, attempt, position))
        return found

    def endpoints(self) -> list[Endpoint]:
        with self._reading():
            return outbox.endpoints(self._database)

    def deliveries(self, after: int) -> list[tuple[Delivery, list[Attempt]]]:
        with self._reading():
            found = [row[0] for row in self._database.rows("deliveries_after", (after, DELIVERIES))]
            rows = sorted((one for one, _ in outbox.taken(self._database, found)), key=lambda one: one.number)
            logs = outbox.attempts(self._database, [one.number for one in rows])
        return list(zip(rows, logs, strict=True))

    def feed(self, after: int) -> list[Kept]:
        with self._reading():
            rows = self._database.rows("feed_after", (after, ENTRIES))
        return [Kept(row[0], row[1], row[2], id_text(row[3]), row[4], row[5], row[6]) for row in rows]

    def close(self) -> None:
        with suppress(apsw.Error):  # nothing was written
            self._database.close()
        if self._bare:
            _clear(self._path)
        leave_file(self._lock)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What is wrong with the file is said as at the start."""
        try:
            yield
        except apsw.Error as error:
            raise refused(self._path, error) from None


def _clear(path: str) -> None:
    """Removes what reading has left beside the file. SQLite does it, for the last one that closes it;
    whoever may only read cannot. Nothing is put into the file, because nothing was written.
    """
    with suppress(apsw.Error, OSError):
        if os.path.getsize(path + LOG) == 0:
            connection = apsw.Connection(path, apsw.SQLITE_OPEN_READWRITE)
            try:
                connection.pragma("user_version")
            finally:
                connection.close()


def _check(database: Database, path: str) -> None:
    connection = database.connection
    if connection.pragma("application_id") != APPLICATION:
        raise SettingError("store", f"{path} is a database of another program")
    version, newest = connection.pragma("user_version"), len(migrations())
    if version > newest:
        raise SettingError("store", f"{path} was written by a newer version of Restante")
    if version < newest:
        raise SettingError(
            "store", f"{path} is of an older version: first `restante migrate` the file itself"
        )


def _left_behind(transaction: Transaction) -> Transaction:
    """As a server's start would find it: whoever was sending or reading is gone."""
    if transaction.phase is Phase.SENDING:
        transaction = msgspec.structs.replace(transaction, due_at=0)
    if transaction.reading is Reading.RESERVED:
        transaction = msgspec.structs.replace(transaction, reading=Reading.UNREAD)
    return transaction
