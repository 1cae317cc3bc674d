"""Look-ups by key, in groups: whatever was asked meanwhile is one query per kind."""

import asyncio
from collections.abc import Iterable, Set
from typing import Any

from ...core.errors import RestanteError
from ...core.model import Transaction
from .database import Database
from .lane import Job
from .queries import parts
from .rows import columns, read_event, read_request, read_result, read_transaction, text

_READ = {"transactions": read_transaction, "requests": read_request, "results": read_result}


async def looked_up(database: Database, name: str, keys: Iterable[int], *more: Any) -> list[Any]:
    """The rows that a statement finds under these keys."""
    rows: list[Any] = []
    for some in parts(name, keys):
        rows += await database.rows(name, some, *more, keys=some, again=True)
    return rows


async def transactions(database: Database, keys: Iterable[int]) -> dict[int, Transaction]:
    """By key; those that there are."""
    return {row[0]: read_transaction(row) for row in await looked_up(database, "transactions", keys)}


async def lapsed(database: Database, now: int, limit: int) -> list[Transaction]:
    """See `ports.Store`."""
    keys = [row[0] for row in await database.rows("lapsed", now, limit, again=True)]
    found = await transactions(database, keys)
    return [found[key] for key in keys if key in found]


class Reading:
    """A job's `what` is a list of keys (of `events` with after and limit), its value a list of the same
    length; of `chunks` it is one place."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, jobs: list[Job]) -> None:
        """Answers the jobs; what fails, fails for one kind of look-up only."""
        kinds: dict[str, list[Job]] = {}
        for job in jobs:
            kinds.setdefault(job.kind, []).append(job)
        await asyncio.gather(*[self._read(kind, group) for kind, group in kinds.items()])

    async def _read(self, kind: str, jobs: list[Job]) -> None:
        try:
            if kind == "chunks":
                places = list({job.what for job in jobs})
                keys = [place[0] for place in places]
                rows = await self._database.rows("chunks", *columns(places, 3), keys=keys, again=True)
                pieces = {tuple(row[:3]): row[3] for row in rows}
                for job in jobs:
                    job.value = pieces.get(job.what)
                return
            found = await self._found(kind, {key for job in jobs for key in job.what})
        except RestanteError as error:
            for job in jobs:
                job.error = error
            return
        for job in jobs:
            job.value = [found.get(key) for key in job.what]

    async def _found(self, kind: str, asked: Set[Any]) -> dict[Any, Any]:
        """What there is, by what was asked: a key, or more with the key in front."""
        database = self._database
        found: dict[Any, Any] = {}
        match kind:
            case "events" | "owned":
                by_key: dict[int, list[Any]] = {}
                for one in asked:
                    by_key.setdefault(one[0], []).append(one)
                for part in parts(kind, by_key):
                    some = [one for key in part for one in by_key[key]]
                    if kind == "events":
                        rows = await database.rows(kind, *columns(some, 3), keys=part, again=True)
                        for row in rows:
                            found.setdefault(some[row[0] - 1], []).append(read_event(row))
                    else:
                        pairs = columns([(key, text(tenant)) for key, tenant in some], 2)
                        there = map(
                            read_transaction, await database.rows(kind, *pairs, keys=part, again=True)
                        )
                        found |= {(one.key, one.tenant): one for one in there}
            case _:
                read = _READ[kind]
                found = {row[0]: read(row) for row in await looked_up(database, kind, asked)}
        return found
