"""Figures, counted behind what happens: every few seconds, as much as is there, a bounded batch at a time.

Every process counts, whoever comes first; an entry is counted once. Nothing waits for it, and a store that
refuses is asked again at the next occasion. What nobody has begun is in no entry of the feed yet: whoever
wants to know what was accepted adds that (`Store.pending_figures`).
"""

from ..core.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from ..ports import Clock, Store
from .rounds import Rounds

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
        self._more = False  # the last batch was a full one
        self._swept_at = 0
        rounds = Rounds(self.count, "figures are counted", clock=clock, rest=self._rest)
        self.start, self.stop = rounds.start, rounds.stop

    async def count(self) -> None:
        """One batch; where there was no full one, what is kept no longer is removed, once an hour."""
        self._more = False
        self._more = await self._store.count_figures(BATCH) >= BATCH
        if not self._more and self._clock.now() - self._swept_at >= HOUR:
            await self.sweep()

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

    def _rest(self, took: int) -> int:
        return min(max(REST, took * (SHARE - 1)), EVERY) if self._more else EVERY
