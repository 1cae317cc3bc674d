"""The real clock: wall time in microseconds, wake-ups on the running event loop.

The loop counts monotonic time, in milliseconds under uvloop, while moments are wall time: so an alarm
that goes off looks at the clock again, and none sleeps longer than `MAX_SLEEP_SECONDS`, lest a clock that
was set, or a machine that was suspended, makes it late.
"""

import asyncio
import time
from collections.abc import Callable

MAX_SLEEP_SECONDS = 60.0
MIN_SLEEP_SECONDS = 0.001  # uvloop's smallest step; less would spin


class SystemClock:
    """`time.time_ns()`, and the running loop's timers."""

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def call_at(self, moment: int, wake: Callable[[], None]) -> "Alarm":
        """Calls `wake` once, never before `moment`."""
        return Alarm(self, moment, wake)


class Alarm:
    """A wake-up that may be called off."""

    __slots__ = ("_clock", "_handle", "_loop", "_moment", "_wake")

    def __init__(self, clock: SystemClock, moment: int, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._moment = moment
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._handle = self._arm()

    def cancel(self) -> None:
        self._handle.cancel()

    def _arm(self) -> asyncio.Handle:
        seconds = (self._moment - self._clock.now()) / 1_000_000
        if seconds <= 0:
            return self._loop.call_soon(self._ring)
        return self._loop.call_later(min(max(seconds, MIN_SLEEP_SECONDS), MAX_SLEEP_SECONDS), self._ring)

    def _ring(self) -> None:
        if self._clock.now() >= self._moment:
            self._wake()
        else:
            self._handle = self._arm()
