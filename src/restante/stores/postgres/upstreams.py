"""The part of the store that is about upstreams: which are paused, and what each has to do."""

import asyncio

from ...core.model import Load
from .database import Database
from .rows import read_text, text
from .signals import Signals


class Upstreams:
    """What a `PostgresStore` is, beside all else."""

    _database: Database
    _signals: Signals
    _searching: asyncio.Semaphore

    async def pause(self, upstream: str) -> None:
        await self._database.rows("pause", text(upstream), again=True)
        self._signals.pauses()

    async def resume(self, upstream: str) -> None:
        await self._database.rows("resume", text(upstream), again=True)
        self._signals.pauses()

    async def paused(self) -> frozenset[str]:
        return frozenset(read_text(row[0]) for row in await self._database.rows("paused", again=True))

    async def loads(self) -> dict[str, Load]:
        async with self._searching:
            rows = await self._database.rows("loads", again=True)
        return {read_text(row[0]): Load(running=row[2], queued=row[1] - row[2]) for row in rows}

    async def stored(self, after: int, limit: int) -> tuple[dict[tuple[str, str], int], int | None]:
        async with self._searching:
            rows = await self._database.rows("stored", after, limit, again=True)
        found = {(read_text(row[0]), read_text(row[1])): row[2] for row in rows}
        return found, max((row[3] for row in rows), default=None)
