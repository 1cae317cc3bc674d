"""Figures, counted behind what happens: every few seconds, as much as is there, a bounded batch at a time.

Every process counts, whoever comes first; an entry is counted once. Nothing waits for it, and a store that
refuses is asked again at the next occasion. What nobody has begun is in no entry of the feed yet: whoever
wants to know what was accepted adds that (`Store.pending_figures`).
"""

import asyncio
import logging

from ..core.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from ..core.errors import RestanteError
from ..ports import Clock, Store, Timer

log = logging.getLogger("restante.service")

EVERY = 5 * SECOND
"""How often it is counted; figures are no older than this, and what a busy moment has left."""

BATCH = 500
"""Entries that are counted in one commit."""

REST, SHARE = 20 * MILLISECOND, 5
"""Between two batches it rests so long at least, and for so many parts of the time of which counting is one:
it never takes the store for itself, and catches up when less happens."""

MINUTES_KEPT = 2 * DAY
"""How long figures of minutes are kept; those of hours as long as `history`."""

SWEPT = 1000
"""Figures that are removed in one commit."""


class Figures:
    """`start` and `stop` it."""

    def __init__(self, *, store: Store, clock: Clock, history: int) -> None:
        self._store = store
        self._clock = clock
        self._history = history
        self._task: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._swept_at = 0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._count_again())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._timer is not None:
            self._timer.cancel()

    async def count(self) -> int:
        """One batch; how many entries that was. Raises `StoreUnavailable`."""
        return await self._store.count_figures(BATCH)

    async def sweep(self) -> None:
        """Removes what is kept no longer."""
        now = self._clock.now()
        before = {
            "minutes": (now - MINUTES_KEPT) // MINUTE,
            "hours": (now - max(self._history, MINUTES_KEPT)) // MINUTE,
        }
        while await self._store.sweep_figures(**before, limit=SWEPT) >= SWEPT:
            pass
        self._swept_at = now

    async def _count_again(self) -> None:
        rest = EVERY
        began = self._clock.now()
        try:
            if await self.count() >= BATCH:
                rest = min(max(REST, (self._clock.now() - began) * (SHARE - 1)), EVERY)
            elif self._clock.now() - self._swept_at >= HOUR:
                await self.sweep()
        except RestanteError as error:
            log.debug("figures are counted later: %s", error)
        finally:
            self._timer = self._clock.call_at(self._clock.now() + rest, self.start)
