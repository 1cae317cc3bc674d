"""A number past its limit is told once, not at every look."""

import asyncio
import logging

import pytest

from restante.core.errors import StoreUnavailable
from restante.ports import Measure, StoreHealth
from restante.service.health import EVERY, Health

from ..fakes import FakeClock
from ..world import eventually


class Measured:
    """A store of which only the measures are asked."""

    def __init__(self) -> None:
        self.dead = 0
        self.room = 100
        self.looks = self.tidied = 0
        self.away = False

    async def tidy(self, now: int) -> None:
        self.tidied += 1
        if self.away:
            raise StoreUnavailable("away")

    async def health(self, now: int) -> StoreHealth:
        self.looks += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")
        return StoreHealth(
            (
                Measure("size_bytes", 7),
                Measure("dead_rows", self.dead, 10),
                Measure("room", self.room, 50, True),
            )
        )


@pytest.fixture
def store() -> Measured:
    return Measured()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def health(store: Measured, clock: FakeClock) -> Health:
    return Health(store=store, clock=clock)  # type: ignore[arg-type]


async def test_each_crossing_of_a_limit_is_told_once(
    health: Health, store: Measured, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    told = []
    for store.dead, store.room in [(10, 50), (11, 50), (12, 50), (12, 49), (0, 49), (0, 50), (11, 50)]:
        await clock.advance(EVERY)
        await health.fresh()
        told.append([record.message for record in caplog.records])
        caplog.clear()
    assert told == [
        [],
        ["dead_rows is over 10: 11"],
        [],
        ["room is under 50: 49"],
        ["dead_rows is again under 10: 0"],
        ["room is again over 50: 50"],
        ["dead_rows is over 10: 11"],
    ]


async def test_it_tidies_and_looks_once_a_minute_and_goes_on_after_a_failure(
    health: Health, store: Measured, clock: FakeClock
) -> None:
    health.start()
    await eventually(lambda: health.last is not None and clock.waited_for() == 1)
    for store.away in (True, False):
        looks = store.looks
        await clock.advance(EVERY)
        await eventually(lambda looks=looks: store.looks == looks + 1 and clock.waited_for() == 1)  # type: ignore[misc]
    assert health.seen_at == clock.now()
    assert store.tidied == 3
    await health.stop()
    assert clock.waited_for() == 0


async def test_what_this_process_knows_is_as_it_is_now(
    store: Measured, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    off = 0
    health = Health(store=store, clock=clock, more=lambda: (Measure("endpoints_off", off, 0),))  # type: ignore[arg-type]
    assert (await health.fresh()).measures[-1].value == 0
    off = 1
    assert (await health.fresh()).measures[-1].value == 1
    assert (await health.fresh()).measures[-1].alarming
    assert store.looks == 1
    assert [record.message for record in caplog.records] == ["endpoints_off is over 0: 1"]


async def test_however_many_ask_it_looks_once_a_minute(
    health: Health, store: Measured, clock: FakeClock
) -> None:
    for _ in range(2):
        await asyncio.gather(*[health.fresh() for _ in range(20)])
    assert store.looks == 1
    await clock.advance(EVERY)
    await asyncio.gather(*[health.fresh() for _ in range(20)])
    assert store.looks == 2
