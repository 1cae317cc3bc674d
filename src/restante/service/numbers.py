"""Row keys for what is to be accepted, from numbers that the store has reserved, many at a time."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from ..core.errors import StoreUnavailable
from ..ports import NUMBERS_GOOD, Clock, Store

NUMBERS = 1024
"""Numbers that are reserved at a time."""

FEW = 256
"""With so many left, more are reserved: who comes meanwhile need not wait for them."""


class Numbers:
    """`retention` is that of what is accepted now; `behind` does something beside whatever is going on."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        retention: int,
        behind: Callable[[Coroutine[Any, Any, object]], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._behind = behind
        self._numbers: list[int] = []  # the first to be used is the last
        self._until = 0
        self._reserving = asyncio.Lock()

    def at_hand(self) -> int | None:
        """A row key, or None where the store must be asked for more (`next` does)."""
        now = self._clock.now()
        if not self._numbers or now >= self._until:
            return None
        if len(self._numbers) == FEW:
            self._behind(self._reserve_ahead())
        return self._store.key(self._numbers.pop(), now + self._retention)

    async def next(self) -> int:
        """A row key. Raises `StoreUnavailable`."""
        while (key := self.at_hand()) is None:
            async with self._reserving:
                if not self._numbers or self._clock.now() >= self._until:
                    self._numbers.clear()
                    self._until = self._clock.now() + NUMBERS_GOOD
                    await self._reserve()
        return key

    async def _reserve_ahead(self) -> None:
        with suppress(StoreUnavailable):  # who needs one that is not there is told
            async with self._reserving:
                if len(self._numbers) <= FEW:
                    await self._reserve()

    async def _reserve(self) -> None:
        """More, behind those that are left, and good for as long as they are."""
        self._numbers = [*reversed(await self._store.reserve_numbers(NUMBERS)), *self._numbers]
