"""Randomness, as the operating system gives it."""

import os

DRAWN = 4096
"""Bytes drawn from the system at a time: asking it costs more than they do."""


class SystemChance:
    """Unforeseeable, and drawn ahead."""

    def __init__(self) -> None:
        self._drawn = b""
        self._used = 0

    def bytes(self, count: int) -> bytes:
        end = self._used + count
        if end > len(self._drawn):
            self._drawn = os.urandom(max(count, DRAWN))
            self._used, end = 0, count
        taken = self._drawn[self._used : end]
        self._used = end
        return taken

    def fraction(self) -> float:
        """In [0, 1)."""
        return int.from_bytes(self.bytes(6), "big") / (1 << 48)
