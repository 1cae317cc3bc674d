"""The part of the store that is about webhooks: every method of `ports.Outbox`, each a job for a worker."""

from collections.abc import Collection, Mapping, Sequence

from ...core.delivery import Attempt, Delivery, Progress, Sought
from ...core.endpoint import Endpoint
from ...core.feed import Entry
from ...core.outbox import Errand
from .. import cursors
from ..lookups import Lookups
from .outbox import endpoint_row, progress_rows
from .rows import Row, id_text, spelling
from .worker import ROW, Worker

SETTLING_PATIENCE = 2
"""What ends work is refused later than what begins it."""


class Posting(Lookups):
    """What an `SQLiteStore` is, beside all else."""

    _write: Worker
    _outbox: Worker

    async def endpoints(self) -> list[Endpoint]:
        found: list[Endpoint] = await self._outbox.do("endpoints", ())
        return found

    async def keep_endpoint(self, endpoint: Endpoint, *, most: int) -> bool:
        kept: bool = await self._write.do("keep_endpoint", (*endpoint_row(endpoint), most))
        return kept

    async def drop_endpoint(self, endpoint: Endpoint) -> bool:
        dropped: bool = await self._write.do("drop_endpoint", (endpoint.id, endpoint.version))
        return dropped

    async def post(self, deliveries: Sequence[Delivery]) -> None:
        await self._write.do("post", [spelling.delivery(delivery) for delivery in deliveries])

    async def take(self, wanted: Mapping[str, int], now: int, until: int) -> list[Errand]:
        numbers: list[int] = await self._write.do(
            "take", (dict(wanted), now, until), size=ROW * len(wanted), patience=SETTLING_PATIENCE
        )
        return await self._errands(await self._outbox.do("taken", (numbers,)) if numbers else [])

    async def give_back(self, lanes: Collection[str], *, until: int, now: int) -> None:
        await self._write.do("give_back", (list(lanes), until, now), patience=SETTLING_PATIENCE)

    async def next_deliveries(self, lanes: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = await self._outbox.do("lane_dues", (lanes,))
        return found

    async def lanes(self, *, after: str, limit: int) -> dict[str, int]:
        found: dict[str, int] = await self._outbox.do("all_lane_dues", (after, limit))
        return found

    async def settle(self, progress: Sequence[Progress]) -> list[bool]:
        rows = [progress_rows(one) for one in progress]
        settled: list[bool] = await self._write.do(
            "settle", rows, size=ROW * len(progress), patience=SETTLING_PATIENCE
        )
        return settled

    async def deliveries(self, sought: Sought) -> list[Delivery]:
        found: list[Delivery] = await self._outbox.do("deliveries", (sought,))
        return found

    async def look_deliveries(self, ids: Sequence[str]) -> list[Delivery | None]:
        found: list[Delivery | None] = await self._outbox.do("look_deliveries", (ids,))
        return found

    async def attempts(self, numbers: Sequence[int]) -> list[list[Attempt]]:
        found: list[list[Attempt]] = await self._outbox.do("attempts", (numbers,))
        return found

    async def sweep_outbox(self, *, deliveries: int, feed: int, limit: int) -> int:
        swept: int = await self._write.do("sweep", (deliveries, feed, limit))
        return swept

    async def feed(self, tenant: str, after: str | None, limit: int) -> list[Entry]:
        _, place = cursors.place_of(self.secret, tenant, after)
        found: list[Row] = await self._outbox.do("feed", (tenant, place, limit))
        return [
            cursors.entry(self.secret, tenant, (0, row[0]), (row[1], id_text(row[2]), row[3], row[4]))
            for row in found
        ]
