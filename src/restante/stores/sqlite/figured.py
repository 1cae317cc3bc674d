"""The part of the store that is about figures: every method of `ports.Figures`, each a job for a worker."""

from collections.abc import Sequence

from ...core.delivery import Delivery
from ...core.figures import Figure, Standing
from ...core.model import Transaction
from .figures import Counting
from .worker import Worker


class Figured:
    """What an `SQLiteStore` is, beside all else."""

    _write: Worker
    _search: Worker
    _outbox: Worker

    async def count_figures(self, limit: int) -> int:
        entries: int
        counting: Counting
        entries, counting = await self._search.do("count_figures", (limit,))
        if entries:
            await self._write.do("add_figures", counting)
        return entries

    async def figures(
        self, tenant: str, *, minutes: int, first: int, places: int, width: int
    ) -> list[Figure]:
        found: list[Figure] = await self._search.do("figures", (tenant, minutes, first, places, width))
        return found

    async def pending_figures(self, tenant: str, *, first: int, width: int) -> dict[int, int]:
        found: dict[int, int] = await self._search.do("pending_figures", (tenant, first, width))
        return found

    async def counted_tenants(self, *, first: int, limit: int) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = await self._search.do("counted_tenants", (first, limit))
        return found

    async def sweep_figures(self, *, minutes: int, hours: int, limit: int) -> int:
        swept: int = await self._write.do("sweep_figures", (minutes, hours, limit))
        return swept

    async def standing(self, transaction: Transaction, *, limit: int) -> Standing:
        found: Standing = await self._search.do("standing", (transaction, limit))
        return found

    async def with_code(
        self, tenant: str, code: str, *, before: int | None, limit: int
    ) -> tuple[Sequence[Transaction], int | None]:
        found: tuple[Sequence[Transaction], int | None] = await self._search.do(
            "with_code", (tenant, code, before, limit)
        )
        return found

    async def deliveries_about(self, key: int, limit: int) -> list[Delivery]:
        found: list[Delivery] = await self._outbox.do("deliveries_about", (key, limit))
        return found
