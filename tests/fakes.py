"""Time and chance for tests: a day passes in a call, a seed decides."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable

from restante.core.clock import SECOND


class FakeTimer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """A `Clock` that stands still until it is told to `advance`."""

    def __init__(self, now: int = 1_700_000_000 * SECOND) -> None:
        self._now = now
        self._timers: list[tuple[int, int, FakeTimer, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def now(self) -> int:
        return self._now

    def call_at(self, moment: int, wake: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer()
        if moment <= self._now:  # as the real one: on the loop, soon
            asyncio.get_running_loop().call_soon(lambda: None if timer.cancelled else wake())
            return timer
        heapq.heappush(self._timers, (moment, next(self._numbers), timer, wake))
        return timer

    def waited_for(self) -> int:
        """How many wake-ups are still to come."""
        return sum(not timer.cancelled for _, _, timer, _ in self._timers)

    async def advance(self, span: int) -> None:
        """Lets `span` pass, waking whoever asked for it at the moment it asked for."""
        until = self._now + span
        while self._timers and self._timers[0][0] <= until:
            moment, _, timer, wake = heapq.heappop(self._timers)
            self._now = max(self._now, moment)
            if not timer.cancelled:
                wake()
                await asyncio.sleep(0)
        self._now = until


class SeededChance:
    """A `Chance` that is the same in every run."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def fraction(self) -> float:
        return self._random.random()
