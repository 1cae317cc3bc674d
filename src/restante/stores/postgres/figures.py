"""The part of the store that is about figures: every method of `ports.Figures`.

An entry of the feed is counted in the commit that moves the place on, so it may be asked for again wherever
an answer was lost.
"""

import asyncio
from collections.abc import Sequence

from ...core.delivery import Delivery
from ...core.figures import HOURS, MINUTES, Figure, Standing
from ...core.model import Transaction
from .database import Database
from .reading import transactions
from .rows import read_text, spelling, text

_END = 1 << 62


class Figured:
    """What a `PostgresStore` is, beside all else."""

    _database: Database
    _searching: asyncio.Semaphore

    async def count_figures(self, limit: int) -> int:
        await self._database.rows("reach_figures", again=True)
        return int(await self._database.value("count_figures", limit, again=True))

    async def figures(
        self, tenant: str, *, minutes: int, first: int, places: int, width: int
    ) -> list[Figure]:
        async with self._searching:
            rows = await self._database.rows(
                "figures", text(tenant), minutes, first, places, width, again=True
            )
        return [Figure(row[0], read_text(row[1]), row[2], row[3]) for row in rows]

    async def pending_figures(self, tenant: str, *, first: int, width: int) -> dict[int, int]:
        async with self._searching:
            rows = await self._database.rows("pending_figures", text(tenant), first, width, again=True)
        return {row[0]: row[1] for row in rows}

    async def counted_tenants(self, *, first: int, limit: int) -> list[tuple[str, int]]:
        async with self._searching:
            rows = await self._database.rows("counted_tenants", first, limit, again=True)
        return [(read_text(row[0]), row[1]) for row in rows]

    async def sweep_figures(self, *, minutes: int, hours: int, limit: int) -> int:
        swept = 0
        for which, before in ((MINUTES, minutes), (HOURS, hours)):
            swept += int(await self._database.value("sweep_figures", which, before, limit, again=True))
        return swept

    async def standing(self, transaction: Transaction, *, limit: int) -> Standing:
        t = transaction
        async with self._searching:
            ahead = await self._database.value(
                "ahead",
                text(t.upstream),
                text(t.tenant),
                t.priority,
                t.due_at or 0,
                t.key,
                limit,
                again=True,
            )
            tenants = await self._database.value("tenants_in_line", text(t.upstream), limit, again=True)
        return Standing(int(ahead), int(tenants))

    async def with_code(
        self, tenant: str, code: str, *, before: int | None, limit: int
    ) -> tuple[Sequence[Transaction], int | None]:
        first, last = code.ljust(32, "0"), code.ljust(32, "f")
        async with self._searching:
            rows = await self._database.rows(
                "with_code",
                _END if before is None else before,
                limit,
                first,
                last,
                text(tenant),
                again=True,
            )
        ((keys, last_key, count),) = rows
        found = await transactions(self._database, keys)
        return [found[key] for key in keys if key in found], last_key if count == limit else None

    async def deliveries_about(self, key: int, limit: int) -> list[Delivery]:
        rows = await self._database.rows("deliveries_about", key, limit, again=True)
        found = [spelling.read_delivery(row) for row in rows]
        return sorted(found, key=lambda one: (one.sequence, one.number))
