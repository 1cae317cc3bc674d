"""The store is looked after and looked at, once a minute: a number that passes its limit is told in the log.

Nothing is decided by the numbers. They are for people, and for what watches for them: `GET /-/store` shows
the last look, and as they are now the numbers that this process knows by itself.
"""

import asyncio
import logging
from collections.abc import Callable

from ..core.clock import MINUTE
from ..ports import Clock, Measure, Store, StoreHealth
from .rounds import Rounds

log = logging.getLogger("restante.store")

EVERY = MINUTE
"""How often it is looked, and how old what is shown may be."""


class Health:
    """`start` and `stop` it; `last` is what was seen of the store at `seen_at`, `more` what is known here."""

    def __init__(
        self, *, store: Store, clock: Clock, more: Callable[[], tuple[Measure, ...]] = lambda: ()
    ) -> None:
        self.last: StoreHealth | None = None
        self.seen_at = 0
        self._store = store
        self._clock = clock
        self._more = more
        self._alarming: frozenset[str] = frozenset()
        self._looking = asyncio.Lock()
        rounds = Rounds(self._look_after, "the store is looked after", clock=clock, rest=lambda took: EVERY)
        self.start, self.stop = rounds.start, rounds.stop

    async def fresh(self) -> StoreHealth:
        """As seen within the last minute, however many ask. Raises `StoreUnavailable`."""
        async with self._looking:
            if self.last is None or self._clock.now() - self.seen_at >= EVERY:
                now = self._clock.now()
                self.last, self.seen_at = await self._store.health(now), now
            seen = self.last
        health = StoreHealth((*seen.measures, *self._more()))
        for measure in health.measures:
            if measure.alarming != (measure.name in self._alarming):
                log.warning("%s", _sentence(measure))
        self._alarming = frozenset(measure.name for measure in health.measures if measure.alarming)
        return health

    async def _look_after(self) -> None:
        try:
            await self._store.tidy(self._clock.now())
        finally:
            await self.fresh()


def _sentence(measure: Measure) -> str:
    side = "under" if measure.least == measure.alarming else "over"
    again = "" if measure.alarming else "again "
    return f"{measure.name} is {again}{side} {measure.limit}: {measure.value}"
