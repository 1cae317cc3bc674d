"""Access keys (ports/keyring.py): in the store, and beside it.

A key may be made or revoked while a server has the file, and an endpoint's secrets sealed anew: that is one
small transaction of its own, for which SQLite's own locks are enough; servers look at the keys they know
again and again, and change an endpoint only from the version that they know. All else in the file is the
server's alone.
"""

import os
from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from ...core.access import EVERYBODY, AccessKey
from ...core.endpoint import Endpoint
from ...core.errors import SettingError
from ..keyrows import BEHIND_ALL, Row, key_row, read_key
from ..lookups import Lookups
from . import outbox
from .database import Database, wrong
from .migrate import APPLICATION, migrations
from .opening import refused
from .worker import ROW, Worker

CACHE_KIB = 256

_json = msgspec.json.Encoder().encode

Revoking = tuple[list[str], str, int]
"""Ids, tenant, moment."""


# -- by whoever has the writing or the reading connection


def add(database: Database, rows: list[Row]) -> None:
    database.many("insert_access_keys", rows)


def revoke(database: Database, what: Revoking) -> list[Row | None]:
    ids, tenant, now = what
    rows = [database.rows("revoke_access_key", (id, tenant, now)) for id in ids]
    return [found[0] if found else None for found in rows]


def find(database: Database, digests: Sequence[bytes]) -> dict[bytes, AccessKey]:
    asked = _json([digest.hex() for digest in digests]).decode()
    keys = map(read_key, database.rows("access_keys_by_digest", (asked,)))
    return {key.digest: key for key in keys}


def page(database: Database, tenant: str, after: str | None, limit: int) -> list[AccessKey]:
    behind = BEHIND_ALL if after is None else after
    if tenant == EVERYBODY:
        rows = database.rows("all_access_keys", (behind, limit))
    else:
        rows = database.rows("access_keys_of", (tenant, behind, limit))
    return [read_key(row) for row in rows]


def sweep(database: Database, what: tuple[int, int]) -> int:
    return database.run("sweep_access_keys", what)


class KeptKeys(Lookups):
    """What an `SQLiteStore` is, beside all else."""

    _write: Worker

    async def add_keys(self, keys: Sequence[AccessKey]) -> None:
        await self._write.do("add_keys", [key_row(key) for key in keys], size=ROW * len(keys))

    async def find_keys(self, digests: Sequence[bytes]) -> list[AccessKey | None]:
        found: list[AccessKey | None] = await self._read.do("access_keys", digests)
        return found

    async def list_keys(self, tenant: str, *, after: str | None, limit: int) -> list[AccessKey]:
        found: list[list[AccessKey]] = await self._read.do("access_key_pages", [(tenant, after, limit)])
        return found[0]

    async def revoke_keys(self, ids: Sequence[str], *, tenant: str, now: int) -> list[AccessKey | None]:
        rows: list[Any] = await self._write.do("revoke_keys", (list(ids), tenant, now))
        return [None if row is None else read_key(row) for row in rows]

    async def sweep_keys(self, before: int, limit: int) -> int:
        swept: int = await self._write.do("sweep_keys", (before, limit))
        return swept


class FileKeys:
    """The same for a command, whoever has the file. Made by `open`, ended by `close`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.secret: bytes = database.value("secret")
        self.sealing: bytes | None = database.value("sealing")

    @classmethod
    def open(cls, path: str) -> "FileKeys | None":
        """None: there is no such file, or not of this version. Raises `SettingError`."""
        path = os.path.realpath(path)
        if not os.path.exists(path):
            return None
        database = None
        try:
            database = Database(path, cache_kib=CACHE_KIB)
            version = database.connection.pragma("user_version")
            if version > len(migrations()):
                raise SettingError("store", f"{path} was written by a newer version of Restante")
            ours = database.connection.pragma("application_id") == APPLICATION
            if version == len(migrations()) and ours:
                return cls(database)
            database.close()
            return None
        except (apsw.Error, SettingError) as error:
            if database is not None:
                database.close()
            raise refused(path, error) from None

    async def add_keys(self, keys: Sequence[AccessKey]) -> None:
        self._commit(add, [key_row(key) for key in keys])

    async def find_keys(self, digests: Sequence[bytes]) -> list[AccessKey | None]:
        found = find(self._database, digests)
        return [found.get(digest) for digest in digests]

    async def list_keys(self, tenant: str, *, after: str | None, limit: int) -> list[AccessKey]:
        return page(self._database, tenant, after, limit)

    async def revoke_keys(self, ids: Sequence[str], *, tenant: str, now: int) -> list[AccessKey | None]:
        rows = self._commit(revoke, (list(ids), tenant, now))
        return [None if row is None else read_key(row) for row in rows]

    async def endpoints(self) -> list[Endpoint]:
        return outbox.endpoints(self._database)

    async def keep_endpoint(self, endpoint: Endpoint, *, most: int) -> bool:
        kept: bool = self._commit(outbox.keep_endpoint, (*outbox.endpoint_row(endpoint), most))
        return kept

    async def close(self) -> None:
        self._database.close()

    def _commit(self, work: Any, what: Any) -> Any:
        try:
            self._database.run("begin")
            try:
                done = work(self._database, what)
                self._database.run("commit")
            finally:
                self._database.roll_back()
        except apsw.Error as error:
            raise wrong(error) from None
        return done
