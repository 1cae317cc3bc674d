"""Row keys are at hand: the store is asked before they run out."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from restante.core.errors import StoreUnavailable
from restante.ports import NUMBERS_GOOD
from restante.service.numbers import FEW, NUMBERS, Numbers

from ..core.samples import NOW


class Reserving:
    """A store that only reserves, and a clock."""

    def __init__(self) -> None:
        self.moment = NOW
        self.reserved = 0
        self.up = True
        self.tasks: list[asyncio.Task[object]] = []
        self.numbers = Numbers(store=self, clock=self, retention=1, behind=self.behind)  # type: ignore[arg-type]

    def now(self) -> int:
        return self.moment

    def key(self, number: int, expires_at: int) -> int:
        return number

    async def reserve_numbers(self, count: int) -> range:
        await asyncio.sleep(0)
        if not self.up:
            raise StoreUnavailable("a test")
        self.reserved += count
        return range(self.reserved - count, self.reserved)

    def behind(self, work: Coroutine[Any, Any, object]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))


async def test_more_are_reserved_before_they_run_out() -> None:
    store = Reserving()
    assert store.numbers.at_hand() is None
    got: list[int | None] = [await store.numbers.next()]
    while len(got) < 3 * NUMBERS:
        got.append(store.numbers.at_hand())
        await asyncio.sleep(0)
    assert got == list(range(3 * NUMBERS))
    assert len(store.tasks) == 3


async def test_while_the_store_is_away_those_left_are_used_and_then_who_comes_is_told() -> None:
    store = Reserving()
    await store.numbers.next()
    store.up = False
    for _ in range(NUMBERS - 1):
        assert store.numbers.at_hand() is not None
        await asyncio.sleep(0)
    assert store.numbers.at_hand() is None
    with pytest.raises(StoreUnavailable):
        await store.numbers.next()
    store.up = True
    assert await store.numbers.next() == NUMBERS


async def test_none_is_used_when_its_time_is_over_those_reserved_ahead_neither() -> None:
    store = Reserving()
    await store.numbers.next()
    store.moment += NUMBERS_GOOD - 1
    for _ in range(NUMBERS - FEW):
        store.numbers.at_hand()
    await asyncio.gather(*store.tasks)
    assert store.reserved == 2 * NUMBERS
    store.moment += 1
    assert store.numbers.at_hand() is None
    assert await store.numbers.next() == 2 * NUMBERS
