"""Row keys for what is to be accepted, from numbers that the store has reserved, many at a time."""

import asyncio

from ..ports import NUMBERS_GOOD, Clock, Store

NUMBERS = 1024
"""Numbers that are reserved at a time."""


class Numbers:
    """`retention` is that of what is accepted now."""

    def __init__(self, *, store: Store, clock: Clock, retention: int) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._numbers: list[int] = []
        self._until = 0
        self._reserving = asyncio.Lock()

    def at_hand(self) -> int | None:
        """A row key, or None where the store must be asked for more (`next` does)."""
        now = self._clock.now()
        if not self._numbers or now >= self._until:
            return None
        return self._store.key(self._numbers.pop(), now + self._retention)

    async def next(self) -> int:
        """A row key. Raises `StoreUnavailable`."""
        while (key := self.at_hand()) is None:
            async with self._reserving:
                now = self._clock.now()
                if not self._numbers or now >= self._until:
                    self._numbers = list(reversed(await self._store.reserve_numbers(NUMBERS)))
                    self._until = now + NUMBERS_GOOD
        return key
