"""One timer for many moments: it is set to the earliest, and whoever is woken finds out what is next."""

from collections.abc import Callable

from ..ports import Clock, Timer


class Reminder:
    """Calls `wake` once, at the earliest moment it was set to since it last did. Without `wake`, never."""

    __slots__ = ("_at", "_clock", "_timer", "wake")

    def __init__(self, clock: Clock, wake: Callable[[], None] | None = None) -> None:
        self.wake = wake
        self._clock = clock
        self._timer: Timer | None = None
        self._at: int | None = None

    def set(self, moment: int) -> None:
        """At `moment` at the latest."""
        if self.wake is None or (self._at is not None and self._at <= moment):
            return
        self.clear()
        self._at = moment
        self._timer = self._clock.call_at(moment, self._ring)

    def clear(self) -> None:
        """At no moment any more, until it is set again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._at = None

    def _ring(self) -> None:
        self._timer = self._at = None
        if self.wake is not None:
            self.wake()
