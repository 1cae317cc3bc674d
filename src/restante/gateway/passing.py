"""What goes straight through to an upstream: how much at once, and a second, in this process.

It waits for nobody, so what is over is refused. Attempts, which wait their turn, have limits of their own
(runner/lane.py).
"""

from types import TracebackType

from ..core.errors import UpstreamBusy
from ..core.policy import Upstream
from ..core.rate import Rate
from ..ports import Clock
from ..service.quotas import BURST, seconds_until
from .crowd import Crowd

BUSY_SECONDS = 1
"""What callers are told to wait while all places are taken."""


class Passing:
    """One upstream's. `with` it for as long as a call lasts; raises `UpstreamBusy`."""

    def __init__(self, upstream: Upstream, clock: Clock, crowd: Crowd) -> None:
        self._crowd = crowd
        self._most = upstream.through_concurrency
        self._rate = Rate(upstream.through_rate, burst=BURST)
        self._clock = clock
        self.under_way = 0

    def __enter__(self) -> None:
        if self._most is not None and self.under_way >= self._most:
            raise UpstreamBusy(
                f"{self._most} calls to this upstream are under way (its through_concurrency).",
                retry_after_seconds=BUSY_SECONDS,
            )
        if self._crowd.full:
            raise UpstreamBusy(
                "Too many callers are connected for calls that go straight through; try again soon.",
                retry_after_seconds=BUSY_SECONDS,
            )
        if self._rate.per_second:
            now = self._clock.now()
            moment = self._rate.take(now)
            if moment is not None:
                raise UpstreamBusy(
                    "This upstream is called more often than it may be (its through_rate).",
                    retry_after_seconds=seconds_until(moment, now),
                )
        self.under_way += 1
        self._crowd.passing += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.under_way -= 1
        self._crowd.passing -= 1
