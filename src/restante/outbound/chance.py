"""Randomness: the system's own, or a seeded sequence that a failing run can be replayed from."""

import random


class SystemChance:
    """Without a `seed`, what the operating system gives; with one, the same sequence every time."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.SystemRandom() if seed is None else random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def fraction(self) -> float:
        """In [0, 1)."""
        return self._random.random()
