"""Figures, counted behind what happens: every few seconds, as much as is there, a bounded batch at a time.
Where nothing happens, and nobody else writes into the store, it is not asked.

Every process counts, whoever comes first; an entry is counted once. Nothing waits for it, and a store that
refuses is asked again at the next occasion. What nobody has begun is in no entry of the feed yet: whoever
wants to know what was accepted adds that (`Store.pending_figures`).
"""

from ..core.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from ..ports import Clock, Store
from .feed import Feed
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
    """`start` and `stop` it. With the `feed` of this process it learns of what goes on."""

    def __init__(self, *, store: Store, clock: Clock, history: int, feed: Feed | None = None) -> None:
        self._store = store
        self._clock = clock
        self._history = history
        self._more = False  # the last batch was a full one
        self._swept_at = 0
        self._told = 0  # how often something went on
        self._counted = -1  # and how often it had when the last round began that was through
        self._watching = feed is not None and not store.shared
        if feed is not None and not store.shared:
            feed.watched = self._tell
        rounds = Rounds(self.count, "figures are counted", clock=clock, rest=self._rest)
        self.start, self.stop, self._soon = rounds.start, rounds.stop, rounds.soon

    async def count(self) -> None:
        """One batch; where there was no full one, what is kept no longer is removed, once an hour."""
        self._more, told = False, self._told
        self._more = await self._store.count_figures(BATCH) >= BATCH
        self._counted = told
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

    def _tell(self) -> None:
        if self._told == self._counted:
            self._soon(EVERY)
        self._told += 1

    def _rest(self, took: int) -> int:
        if self._more:
            return min(max(REST, took * (SHARE - 1)), EVERY)
        return HOUR if self._watching and self._told == self._counted else EVERY
