"""A receiver that does not answer is left alone for a while, and then tried with one attempt at a time."""

from ..core.clock import MINUTE, SECOND

FAILURES = 5
"""So many failures in a row open it."""

FIRST_PAUSE = 5 * SECOND
LONGEST_PAUSE = 5 * MINUTE
"""For how long nothing is sent, first and at most; doubled by each attempt that fails after a pause."""


class Breaker:
    """`begins_at` says from when something may be sent, `slots` how much at once; `failures` in a row."""

    def __init__(self) -> None:
        self.begins_at = 0
        self.failures = 0
        self._pause = 0

    def slots(self, most: int) -> int:
        """One, to try, where it has been open; else as many as there are."""
        return 1 if self._pause else most

    def arrived(self) -> None:
        self.failures = self._pause = self.begins_at = 0

    def missed(self, now: int) -> None:
        self.failures += 1
        if self.failures < FAILURES or now < self.begins_at:
            return
        self._pause = min(self._pause * 2, LONGEST_PAUSE) or FIRST_PAUSE
        self.begins_at = now + self._pause
