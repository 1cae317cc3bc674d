"""So many a second: evenly spread, with a little room for bunching. Moments in microseconds."""

from .clock import SECOND

BURST_SPAN = SECOND // 10
"""How far ahead of an even spread attempts at an upstream may run."""


def bunched(per_second: float) -> int:
    """How many attempts may be made at the same moment: each of so many processes may make one."""
    return max(int(per_second * BURST_SPAN / SECOND), 1)


class Rate:
    """Gives out tokens, `burst` ahead of an even spread at most. Without a rate there is always one."""

    def __init__(self, per_second: float | None, *, burst: int = BURST_SPAN) -> None:
        self._next = 0.0
        self._burst = burst
        self.set(per_second or 0.0)

    def set(self, per_second: float) -> None:
        """From the next token on; 0 is without a rate."""
        self.per_second = per_second
        self._spacing = SECOND / per_second if per_second else 0.0

    def take(self, now: int) -> int | None:
        """Takes a token and returns None, or the moment from which one is there."""
        if not self._spacing:
            return None
        due = max(self._next, now)
        if due - now > max(0.0, self._burst - self._spacing):
            return int(due - max(0.0, self._burst - self._spacing)) + 1
        self._next = due + self._spacing
        return None
