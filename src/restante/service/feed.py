"""The feed, read and waited for: what went on with a tenant's transactions, behind a cursor.

Whoever waits is woken by what is applied here or told of by another process. Where several processes write,
an entry may come into sight a little after it was told of (a commit that began before it is still under way),
so a look that found nothing is repeated soon, and then less and less often.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from ..core.access import EVERYBODY
from ..core.clock import MILLISECOND, SECOND
from ..core.feed import Entry
from ..core.model import Event, Transaction
from ..core.payload import content_of
from ..ports import EVENTS, Clock, Store

FIRST_PAUSE = 20 * MILLISECOND
LONGEST_PAUSE = 2 * SECOND
"""How soon a look is repeated that was woken and found nothing, and how seldom at least."""

Page = tuple[list[dict[str, Any]], str | None]
"""Entries as documents, and the cursor behind them."""


class Feed:
    """`told` and `heard` wake whoever waits; `watched` is called whenever something goes on here."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._ended = False
        self.watched: Callable[[], None] | None = None

    def told(self, tenant: str) -> None:
        """Something went on with a transaction of this tenant."""
        if self.watched is not None:
            self.watched()
        for future in (*self._waiting.get(tenant, ()), *self._waiting.get(EVERYBODY, ())):
            if not future.done():
                future.set_result(None)

    def heard(self) -> None:
        """Something went on in another process, with whosever it is."""
        for tenant in self._waiting:
            self.told(tenant)

    def end(self) -> None:
        """Lets everybody go, from now on at once."""
        self._ended = True
        self.heard()

    async def news(self, tenant: str, *, span: int) -> None:
        """Until something goes on with the tenant's (EVERYBODY: anybody's), at the latest after `span`."""
        if self._ended:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(tenant, set())
        waiting.add(woken)
        timer = self._clock.call_at(self._clock.now() + span, partial(_wake, woken))
        try:
            await woken
        finally:
            timer.cancel()
            waiting.discard(woken)
            if not waiting:
                self._waiting.pop(tenant, None)

    @property
    def ended(self) -> bool:
        return self._ended

    async def entries(self, tenant: str, after: str | None, *, limit: int, span: int) -> list[Entry]:
        """What is behind `after`, as soon as there is anything, at the latest after `span`."""
        until = self._clock.now() + span
        rest = FIRST_PAUSE
        while True:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiting = self._waiting.setdefault(tenant, set())
            waiting.add(woken)  # before the look, so that nothing falls between the two
            try:
                found = await self._store.feed(tenant, after, limit)
                now = self._clock.now()
                if found or now >= until or self._ended:
                    return found
                timer = self._clock.call_at(min(until, now + rest), partial(_wake, woken))
                try:
                    await woken
                finally:
                    timer.cancel()
            finally:
                waiting.discard(woken)
                if not waiting:
                    self._waiting.pop(tenant, None)
            rest = min(rest * 2, LONGEST_PAUSE)


async def events_of(store: Store, entry: Entry) -> list[Event]:
    """The events of one entry; none of what is forgotten."""
    log: list[Event] = []
    after = entry.behind
    while after < entry.last:
        (page,) = await store.events([entry.key], after=after, limit=min(entry.last - after, EVENTS))
        if not page:
            break
        log += page
        after = page[-1].sequence
    return log


def documents(transaction: Transaction, log: list[Event]) -> list[dict[str, Any]]:
    """Entries as webhooks would tell of them."""
    return [
        content_of(event, transaction, previous=event.sequence - 1 if event.sequence > 1 else None)
        for event in log
    ]


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
