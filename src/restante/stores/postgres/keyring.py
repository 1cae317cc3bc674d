"""The part of the store that is about access keys (ports/keyring.py)."""

from collections.abc import Sequence
from typing import Any

from ...core.access import EVERYBODY, AccessKey
from ..keyrows import BEHIND_ALL, Row, key_row, read_key
from ..lookups import Lookups
from .database import Database
from .rows import columns, read_text, text
from .signals import Signals

WIDTH = 7


class KeptKeys(Lookups):
    """What a `PostgresStore` is, beside all else."""

    _database: Database
    _signals: Signals

    async def add_keys(self, keys: Sequence[AccessKey]) -> None:
        rows = columns([row_of(key) for key in keys], WIDTH)
        await self._database.rows("insert_access_keys", *rows, again=True)

    async def find_keys(self, digests: Sequence[bytes]) -> list[AccessKey | None]:
        rows = await self._database.rows("access_keys_by_digest", list(digests), again=True)
        found = {key.digest: key for key in map(key_of, rows)}
        return [found.get(digest) for digest in digests]

    async def list_keys(self, tenant: str, *, after: str | None, limit: int) -> list[AccessKey]:
        behind = BEHIND_ALL if after is None else text(after)
        if tenant == EVERYBODY:
            rows = await self._database.rows("all_access_keys", behind, limit, again=True)
        else:
            rows = await self._database.rows("access_keys_of", text(tenant), behind, limit, again=True)
        return [key_of(row) for row in rows]

    async def revoke_keys(self, ids: Sequence[str], *, tenant: str, now: int) -> list[AccessKey | None]:
        asked = [text(id) for id in ids]
        rows = await self._database.rows("revoke_access_keys", asked, text(tenant), now, again=True)
        self._signals.keys()
        found = {key.id: key for key in map(key_of, rows)}
        return [found.get(id) for id in ids]

    async def sweep_keys(self, before: int, limit: int) -> int:
        return len(await self._database.rows("sweep_access_keys", before, limit, again=True))


def row_of(key: AccessKey) -> Row:
    row = key_row(key)
    return (*row[:2], text(key.tenant), *row[3:])


def key_of(row: Any) -> AccessKey:
    return read_key((row[0], row[1], read_text(row[2]), *row[3:]))
