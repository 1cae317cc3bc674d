"""The part of the store that is about webhooks: every method of `ports.Outbox`, and what others are told."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from ...core.delivery import Attempt, Delivery, Progress, Sought
from ...core.endpoint import Endpoint
from ...core.feed import Entry
from ...core.outbox import Errand
from .. import cursors
from ..lookups import Lookups
from .lane import ROW, Lane
from .outbox import Outbox
from .signals import Signals

SETTLING_PATIENCE = 2
"""What ends work is refused later than what begins it."""


class Posting(Lookups):
    """What a `PostgresStore` is, beside all else."""

    _outbox: Outbox
    _signals: Signals
    _post: Lane  # settles
    _searching: asyncio.Semaphore

    async def endpoints(self) -> list[Endpoint]:
        return await self._outbox.endpoints()

    async def keep_endpoint(self, endpoint: Endpoint, *, most: int) -> bool:
        kept = await self._outbox.keep_endpoint(endpoint, most)
        self._signals.endpoints()
        return kept

    async def drop_endpoint(self, endpoint: Endpoint) -> bool:
        dropped = await self._outbox.drop_endpoint(endpoint)
        self._signals.endpoints()
        return dropped

    async def post(self, deliveries: Sequence[Delivery]) -> None:
        await self._outbox.post(deliveries)
        self._posted(deliveries)

    async def take(self, wanted: Mapping[str, int], now: int, until: int) -> list[Errand]:
        return await self._errands(await self._outbox.take(wanted, now, until))

    async def give_back(self, lanes: Collection[str], *, until: int, now: int) -> None:
        await self._outbox.give_back(lanes, until, now)

    async def next_deliveries(self, lanes: Collection[str]) -> dict[str, int]:
        return await self._outbox.next_deliveries(lanes)

    async def lanes(self, *, after: str, limit: int) -> dict[str, int]:
        return await self._outbox.lanes(after, limit)

    async def settle(self, progress: Sequence[Progress]) -> list[bool]:
        settled: list[bool] = await self._post.do(
            "settle", progress, size=ROW * len(progress), patience=SETTLING_PATIENCE
        )
        self._posted([one.after for one, done in zip(progress, settled, strict=True) if done])
        return settled

    async def deliveries(self, sought: Sought) -> list[Delivery]:
        async with self._searching:
            return await self._outbox.deliveries(sought)

    async def look_deliveries(self, ids: Sequence[str]) -> list[Delivery | None]:
        return await self._outbox.look_deliveries(ids)

    async def attempts(self, numbers: Sequence[int]) -> list[list[Attempt]]:
        return await self._outbox.attempts(numbers)

    async def sweep_outbox(self, *, deliveries: int, feed: int, limit: int) -> int:
        return await self._outbox.sweep(deliveries=deliveries, feed=feed, limit=limit)

    async def feed(self, tenant: str, after: str | None, limit: int) -> list[Entry]:
        found = await self._outbox.feed(tenant, cursors.place_of(self.secret, tenant, after), limit)
        return [
            cursors.entry(self.secret, tenant, (int(row[0]), row[1]), (row[2], row[3], row[4], row[5]))
            for row in found
        ]

    def _posted(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.due_at is not None:
                self._signals.post(delivery.lane, delivery.due_at)
