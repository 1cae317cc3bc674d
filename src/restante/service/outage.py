"""A time in which the store takes or gives nothing, told in the log when it begins and when it is over.

However much waits for the store meanwhile, and however often it is tried again, nothing more is said of it
than what debugging needs. Whatever waits tries again every few seconds (PAUSES); so it is
over when nothing was refused for a while.
"""

import logging

from ..core.clock import SECOND
from ..core.errors import StoreUnavailable
from ..ports import Clock

log = logging.getLogger("restante.service")

PAUSES = (SECOND // 10, SECOND // 2, SECOND, 2 * SECOND, 5 * SECOND)
"""How long to wait before a write is tried again that the store did not take; the last one repeats."""

REST = SECOND
"""How long whoever looks for work waits before he asks the store again, after it failed."""

QUIET = 10 * SECOND
"""For how long nothing must have been refused. Twice as long as the longest pause between two tries."""


class Outage:
    """One per process. `met` is told of every refusal that nobody outside is told of."""

    pauses: tuple[int, ...] = PAUSES
    rest: int = REST

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._last: int | None = None

    def met(self, error: StoreUnavailable, what: str) -> None:
        """`what` waits, because the store refused."""
        log.debug("%s waits for the store: %s", what, error)
        begins = self._last is None
        self._last = self.clock.now()
        if begins:
            log.warning("the store refuses what must be done, all of it waits: %s", error)
            self._look_at(self._last + QUIET)

    def _look_at(self, moment: int) -> None:
        self.clock.call_at(moment, self._look)

    def _look(self) -> None:
        assert self._last is not None
        if self.clock.now() < self._last + QUIET:
            self._look_at(self._last + QUIET)
            return
        self._last = None
        log.warning("the store has refused nothing for %d s: what waited goes on", QUIET // SECOND)
