"""What is written about a transaction that is there: changes, readings, leases."""

from collections.abc import Awaitable, Callable

from ...core.errors import RestanteError
from .changing import Changing
from .database import Database
from .lane import Job
from .rows import columns
from .trouble import Lost, wrong


class Settling:
    """Does apply, reading (key, token, what it is to be), renew and probe."""

    def __init__(self, database: Database, changing: Changing) -> None:
        self._database = database
        self._works: dict[str, Callable[[list[Job]], Awaitable[None]]] = {
            "apply": changing.run,
            "reading": self._mark,
            "renew": self._renew,
            "probe": self._probe,
        }

    async def run(self, jobs: list[Job]) -> None:
        """What is of one kind is written together; what fails, fails for that kind."""
        for kind, work in self._works.items():
            group = [job for job in jobs if job.kind == kind]
            if group:
                try:
                    await work(group)
                except (RestanteError, Lost) as error:
                    for job in group:
                        job.error = job.error or wrong(error)

    async def _mark(self, jobs: list[Job]) -> None:
        """Of several marks on one key each sees what the one before has left."""
        while jobs:
            first: dict[int, Job] = {}
            for job in jobs:
                first.setdefault(job.what[0], job)
            await self._mark_each(first)
            jobs = [job for job in jobs if first[job.what[0]] is not job]

    async def _mark_each(self, jobs: dict[int, Job]) -> None:
        keys, arguments = list(jobs), columns([job.what for job in jobs.values()], 3)

        async def mark() -> set[int]:
            return {row[0] for row in await self._database.rows("mark_readings", *arguments, keys=keys)}

        async def settle() -> set[int]:
            marked = await mark()
            for key, reading, reader in await self._database.rows("readings", keys, again=True):
                if (key, reader, reading) == jobs[key].what:
                    marked.add(key)
            return marked

        try:
            marked = await mark()
        except Lost:
            marked = await self._database.find_out(settle)
        for key, job in jobs.items():
            job.value = key in marked

    async def _renew(self, jobs: list[Job]) -> None:
        for job in jobs:
            keys, until = job.what
            await self._database.rows("renew", keys, until, again=True)

    async def _probe(self, jobs: list[Job]) -> None:
        await self._database.rows("probe", again=True)
