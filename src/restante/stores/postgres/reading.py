"""Look-ups by key, in groups: whatever was asked meanwhile is one query per kind."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ...core.errors import RestanteError
from ...core.model import Transaction
from .database import Database
from .lane import Job
from .rows import columns, read_event, read_request, read_result, read_transaction, text

_READ = {"transactions": read_transaction, "requests": read_request, "results": read_result}


async def transactions(database: Database, keys: Sequence[int]) -> dict[int, Transaction]:
    """By key; those that there are."""
    rows = await database.rows("transactions", keys, again=True) if keys else []
    return {row[0]: read_transaction(row) for row in rows}


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
            keys = list({key for job in jobs for key in job.what})
            match kind:
                case "events":
                    asked = columns(keys, 3)
                case "owned":
                    asked = columns([(key, text(tenant)) for key, tenant in keys], 2)
                case _:
                    asked = [keys]
            about = [key for key, _, _ in keys] if kind == "events" else []
            rows = await self._database.rows(kind, *asked, keys=about, again=True)
        except RestanteError as error:
            for job in jobs:
                job.error = error
            return
        found: dict[Any, Any] = {}
        if kind == "events":
            for row in rows:
                found.setdefault(keys[row[0] - 1], []).append(read_event(row))
        elif kind == "owned":
            there = map(read_transaction, rows)
            found = {(one.key, one.tenant): one for one in there}
        else:
            read = _READ[kind]
            found = {row[0]: read(row) for row in rows}
        for job in jobs:
            job.value = [found.get(key) for key in job.what]
