"""A deadline is noticed when it passes: not earlier, hardly later, and not by looking again and again."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from restante.core.access import Scope
from restante.core.clock import DAY, HOUR, MINUTE, SECOND
from restante.core.model import Transaction
from restante.core.policy import Limits
from restante.core.status import Outcome, Status
from restante.runner.sweeper import KEYS_EVERY, MOST_IDLE, PAUSE, RESTS

from ..e2e.harness import RecordingUpstream
from ..fakes import FakeClock
from ..world import PATIENCE_SECONDS, World, a_world, eventually
from .test_rest import Counted


@asynccontextmanager
async def a_busy_world(folder: Path, **more: Any) -> AsyncIterator[World]:
    """One attempt at a time, and one is being made for ever; the sweeper runs."""
    async with (
        RecordingUpstream() as upstream,
        a_world(folder, upstream.url, concurrency=1, **more) as world,
    ):
        upstream.gate.clear()
        await world.submit()
        await eventually(lambda: len(upstream.calls) == 1)
        world.sweeper.start()
        await asleep(world)
        yield world
        await world.sweeper.stop()


async def asleep(world: World) -> None:
    """Until the sweeper waits for the clock, and not only for the loop's next round, or to be asked again."""
    for _ in range(2):
        await eventually(lambda: world.sweeper._task is None and not due(world))
        await asyncio.sleep(0)


def due(world: World) -> bool:
    at = world.service.overdue._at
    return at is not None and at <= world.clock.now()


async def expired(world: World, transaction: Transaction) -> bool:
    await asleep(world)
    found = await world.now(transaction)
    assert (found.status, found.outcome) in ((Status.PENDING, None), (Status.FAILED, Outcome.EXPIRED))
    return found.status is Status.FAILED


async def test_what_waits_ends_when_its_deadline_passes(tmp_path: Path) -> None:
    async with a_busy_world(tmp_path) as world:
        late = await world.submit(headers={"Restante-Deadline": "9s"})
        soon = await world.submit(headers={"Restante-Deadline": "2s"})
        await world.clock.advance(2 * SECOND - 1)
        assert not await expired(world, soon)
        await world.clock.advance(1)
        assert await expired(world, soon)
        await world.clock.advance(7 * SECOND - 1)
        assert not await expired(world, late)
        await world.clock.advance(1)
        assert await expired(world, late)


async def test_a_deadline_far_away_is_noticed_as_exactly(tmp_path: Path) -> None:
    async with a_busy_world(tmp_path) as world:
        span = 3 * MINUTE + SECOND // 2
        transaction = await world.submit(headers={"Restante-Deadline": "180500ms"})
        for _ in range(span // SECOND):
            await world.clock.advance(SECOND)
            await asleep(world)
        await world.clock.advance(SECOND // 2 - 1)
        assert not await expired(world, transaction)
        await world.clock.advance(1)
        assert await expired(world, transaction)


async def test_after_a_restart_deadlines_are_noticed_as_well(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_busy_world(tmp_path, clock=clock) as world:
        transaction = await world.submit(headers={"Restante-Deadline": "4s"})
    async with a_world(tmp_path, "http://127.0.0.1:9", clock=clock, run=False) as world:
        world.sweeper.start()
        await asleep(world)
        await clock.advance(4 * SECOND - 1)
        assert not await expired(world, transaction)
        await clock.advance(1)
        assert await expired(world, transaction)
        await world.sweeper.stop()


async def test_what_has_ended_does_not_hide_a_deadline(tmp_path: Path) -> None:
    async with a_busy_world(tmp_path, limits=Limits(sweep=3)) as world:
        over = [await world.submit() for _ in range(10)]
        for transaction in over:
            await world.service.cancel("default", transaction.id)
        await world.clock.advance(DAY - 5 * SECOND)
        await asleep(world)
        waiting = await world.submit(headers={"Restante-Deadline": "7s"})
        await world.clock.advance(6 * SECOND)
        assert not await expired(world, waiting)
        await world.clock.advance(SECOND)
        assert await expired(world, waiting)


@pytest.mark.sound_store("counts commits, and a round that was refused is another one")
async def test_many_deadlines_at_once_are_few_commits(tmp_path: Path) -> None:
    async with a_busy_world(tmp_path, limits=Limits(sweep=50)) as world:
        made = [await world.submit(headers={"Restante-Deadline": "2s"}) for _ in range(100)]
        before = world.store.commits
        await world.clock.advance(2 * SECOND)
        assert all([await expired(world, transaction) for transaction in made])
        assert world.store.commits - before < 10


async def test_a_deadline_that_passes_while_it_sweeps_is_not_forgotten(tmp_path: Path) -> None:
    async with a_busy_world(tmp_path, wrap=Slow) as world:
        world.store.gate.clear()
        await world.clock.advance(MOST_IDLE)  # a round begins, and its last question stays open
        await world.store.asked.wait()
        waiting = await world.submit(headers={"Restante-Deadline": "1s"})
        await world.clock.advance(SECOND)
        world.store.gate.set()
        await asleep(world)
        await world.clock.advance(PAUSE)
        assert await expired(world, waiting)


class Slow(Counted):
    """A store that keeps an answer back while `gate` is cleared."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def next_lapse(self, until: int) -> int | None:
        found: int | None = await self.inner.next_lapse(until)
        if not self.gate.is_set():
            self.asked.set()
        await self.gate.wait()
        return found


async def test_access_keys_are_forgotten_when_history_is_over(tmp_path: Path) -> None:
    limits = Limits(history=2 * DAY, sweep=1)
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, limits=limits) as world:
        keys = world.service.keys
        made = [(await keys.make(tenant="one", scopes=[Scope.READ], span=DAY))[0] for _ in range(2)]
        for hours, left in ((0, 2), (2 * DAY, 2), (DAY, 2), (KEYS_EVERY, 0)):
            await world.clock.advance(hours)
            await world.sweeper.sweep_keys()
            await world.sweeper.sweep_keys()
            assert len(await keys.list("one", after=None, limit=9)) == left
        assert len(made) == 2


@pytest.mark.sound_store("asks for each batch by its own hand, and counts them")
async def test_what_is_removed_has_time_and_deadlines_do_not_wait_for_it(tmp_path: Path) -> None:
    limits = Limits(sweep=2, retention=HOUR, history=HOUR)
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, limits=limits) as world:
        ended = [await world.ended(await world.submit()) for _ in range(8)]
        await world.clock.advance(HOUR - MINUTE)
        upstream.gate.clear()
        due = await world.submit(headers={"restante-deadline": "2m"})
        await world.until(due, lambda found: found.status is Status.PROCESSING)
        await world.clock.advance(2 * MINUTE + SECOND)
        (first, *_) = await world.store.lapsed(world.clock.now(), 10)
        assert first.id == due.id
        assert {one.id for one in await world.store.lapsed(world.clock.now(), 10)} == {
            due.id,
            *(one.id for one in ended),
        }
        rests = []
        for later in (0, 0, HOUR // 10, HOUR // 10, HOUR // 10):
            await world.clock.advance(later)
            await world.sweeper.sweep()
            rests.append(world.sweeper._rests)
        assert rests == [0, RESTS[0], *RESTS]
        assert (await world.now(due)).status is Status.FAILED
        upstream.gate.set()


async def test_who_catches_up_is_in_no_hurry_however_late(tmp_path: Path) -> None:
    limits = Limits(sweep=1, retention=HOUR, history=HOUR)
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, limits=limits) as world:
        for _ in range(8):
            await world.ended(await world.submit())
            await world.clock.advance(10 * MINUTE)
        await world.clock.advance(2 * HOUR)
        rests = []
        for later in (0, *[MINUTE] * 3, *[10 * MINUTE] * 2, *[MINUTE] * 2):
            await world.clock.advance(later)
            assert await world.sweeper.sweep() == 1
            rests.append(world.sweeper._rests)
        assert rests == [*RESTS[:1] * 4, *RESTS[1:], *RESTS[2:] * 2]
        await world.clock.advance(MINUTE)
        assert await world.sweeper.sweep() == 0
        assert world.sweeper._rests == RESTS[0]


async def test_what_tells_of_them_goes_while_more_has_ended_than_one_batch(tmp_path: Path) -> None:
    """Else it would be kept for as long as more ends than is removed."""
    limits = Limits(sweep=1, retention=HOUR, history=HOUR)
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, limits=limits) as world:
        for _ in range(3):
            await world.ended(await world.submit())
        told = len(await world.store.feed("default", None, 100))
        await world.clock.advance(HOUR + SECOND)
        assert await world.sweeper._sweep_some() == 1
        assert await world.store.lapsed(world.clock.now(), 10)
        assert len(await world.store.feed("default", None, 100)) < told


@pytest.mark.sound_store("its moments are exact, and what was refused is asked again without a rest here")
async def test_between_batches_it_rests_for_as_long_as_they_take_of_the_store(tmp_path: Path) -> None:
    limits = Limits(sweep=1, retention=HOUR, history=HOUR)
    clock = FakeClock()
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, limits=limits, clock=clock) as world,
    ):
        for _ in range(3):
            await world.ended(await world.submit())
        await clock.advance(HOUR)
        lapsed = world.store.lapsed
        moments = []

        async def slowly(now: int, limit: int) -> list[Transaction]:
            moments.append(now)
            clock._now += SECOND // 100
            return await lapsed(now, limit)

        world.store.lapsed = slowly  # type: ignore[method-assign]
        world.sweeper.start()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(moments) < 3:
                await clock.advance(SECOND // 1000)
                await asyncio.sleep(0)
        assert all(b - a >= (1 + RESTS[0]) * SECOND // 100 for a, b in itertools.pairwise(moments))
        await world.sweeper.stop()
