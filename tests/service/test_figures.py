"""Counting goes on by itself, rests in between, and outlives a store that is away."""

import asyncio
from collections.abc import Callable

from restante.core.clock import HOUR, SECOND
from restante.core.errors import StoreUnavailable
from restante.service.feed import Feed
from restante.service.figures import BATCH, EVERY, MINUTES_KEPT, REST, SHARE, SWEPT, Figures

from ..fakes import FakeClock
from ..world import eventually


class Counted:
    """A store with so many entries, each batch of which takes some time."""

    def __init__(self, clock: FakeClock, entries: int, takes: int = 0) -> None:
        self.clock, self.entries, self.takes = clock, entries, takes
        self.away = self.shared = False
        self.meanwhile: Callable[[], None] | None = None
        self.batches: list[int] = []
        self.swept: list[dict[str, int]] = []

    async def count_figures(self, limit: int) -> int:
        if self.away:
            raise StoreUnavailable("away")
        self.clock._now += self.takes
        if self.meanwhile is not None:
            self.meanwhile()
        count = min(limit, self.entries)
        self.entries -= count
        self.batches.append(count)
        return count

    async def sweep_figures(self, **before: int) -> int:
        self.swept.append(before)
        return SWEPT if len(self.swept) == 1 else 0


async def test_batches_follow_with_rests_until_nothing_is_left() -> None:
    clock = FakeClock()
    store = Counted(clock, 2 * BATCH + 1, takes=SECOND // 10)
    figures = Figures(store=store, clock=clock, history=30 * 24 * HOUR)  # type: ignore[arg-type]
    figures.start()
    await eventually(lambda: len(store.batches) == 1 and clock.waited_for() == 1)
    await clock.advance(REST)
    assert len(store.batches) == 1  # what takes longer rests longer
    await clock.advance((SHARE - 1) * SECOND // 10)
    await eventually(lambda: len(store.batches) == 2 and clock.waited_for() == 1)
    await clock.advance(SECOND)
    await eventually(lambda: store.batches == [BATCH, BATCH, 1] and clock.waited_for() == 1)
    await eventually(lambda: len(store.swept) == 2)
    assert (
        store.swept[0]["hours"] < store.swept[0]["minutes"] == (clock.now() - MINUTES_KEPT) // (60 * SECOND)
    )
    await clock.advance(EVERY)
    await eventually(lambda: len(store.batches) == 4)
    assert len(store.swept) == 2  # once an hour
    await figures.stop()


async def test_a_store_that_is_away_is_asked_again() -> None:
    clock = FakeClock()
    store = Counted(clock, 3)
    store.away = True
    figures = Figures(store=store, clock=clock, history=HOUR)  # type: ignore[arg-type]
    figures.start()
    await eventually(lambda: clock.waited_for() == 1)
    store.away = False
    await clock.advance(EVERY)
    await eventually(lambda: store.batches == [3])
    await figures.stop()
    await asyncio.sleep(0)
    assert clock.waited_for() == 0


async def test_a_store_that_nobody_else_writes_is_not_asked_while_nothing_happens() -> None:
    clock = FakeClock()
    store = Counted(clock, 3)
    feed = Feed(store=store, clock=clock)  # type: ignore[arg-type]
    figures = Figures(store=store, clock=clock, history=HOUR, feed=feed)  # type: ignore[arg-type]
    figures.start()
    await eventually(lambda: len(store.batches) == 1 and clock.waited_for() == 1)
    for _ in range(10):
        await clock.advance(EVERY)
    assert len(store.batches) == 1
    feed.told("acme")
    feed.told("acme")
    await clock.advance(EVERY)
    await eventually(lambda: len(store.batches) == 2 and clock.waited_for() == 1)
    await clock.advance(EVERY)
    assert len(store.batches) == 2
    await clock.advance(HOUR)  # what is kept no longer goes all the same
    await eventually(lambda: len(store.batches) == 3)
    await figures.stop()


async def test_what_others_write_is_counted_without_word_of_it() -> None:
    clock = FakeClock()
    store = Counted(clock, 3)
    store.shared = True
    feed = Feed(store=store, clock=clock)  # type: ignore[arg-type]
    figures = Figures(store=store, clock=clock, history=HOUR, feed=feed)  # type: ignore[arg-type]
    figures.start()
    await eventually(lambda: len(store.batches) == 1 and clock.waited_for() == 1)
    await clock.advance(EVERY)
    await eventually(lambda: len(store.batches) == 2 and clock.waited_for() == 1)
    await figures.stop()


async def test_what_goes_on_while_it_is_counted_is_counted_next() -> None:
    clock = FakeClock()
    store = Counted(clock, 0)
    feed = Feed(store=store, clock=clock)  # type: ignore[arg-type]
    store.meanwhile = lambda: feed.told("acme")
    figures = Figures(store=store, clock=clock, history=HOUR, feed=feed)  # type: ignore[arg-type]
    figures.start()
    await eventually(lambda: len(store.batches) == 1 and clock.waited_for() == 1)
    store.meanwhile = None
    await clock.advance(EVERY)
    await eventually(lambda: len(store.batches) == 2 and clock.waited_for() == 1)
    await figures.stop()
