"""A paused upstream is sent nothing more; what is accepted for it waits, and is run when it is resumed."""

import asyncio
from pathlib import Path

from restante.core.clock import DAY, SECOND
from restante.core.status import Outcome, Status

from ..e2e.harness import RecordingUpstream
from ..world import World, a_world, eventually, insisted


async def test_what_is_accepted_meanwhile_is_run_when_it_is_resumed(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        await world.service.pauses.pause("default")
        sent = [await world.submit() for _ in range(5)]
        await world.clock.advance(60 * SECOND)
        assert [(await world.now(one)).status for one in sent] == [Status.PENDING] * 5
        assert not upstream.calls and not world.runner.lanes[0].held
        await world.service.pauses.resume("default")
        for one in sent:
            assert (await world.ended(one)).status is Status.COMPLETED


async def test_what_is_being_sent_is_let_finish_and_what_was_ready_waits(tmp_path: Path) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, concurrency=2) as world,
    ):
        upstream.gate.clear()
        sent = [await world.submit() for _ in range(8)]
        await eventually(lambda: len(upstream.calls) == 2)
        await world.service.pauses.pause("default")
        upstream.gate.set()
        for one in sent[:2]:
            assert (await world.ended(one)).status is Status.COMPLETED
        assert [(await world.now(one)).status for one in sent[2:]] == [Status.PENDING] * 6
        assert len(upstream.calls) == 2
        await world.service.pauses.resume("default")
        for one in sent[2:]:
            assert (await world.ended(one)).attempt == 1
        assert len(upstream.calls) == 8


async def test_submits_that_race_with_a_pause_are_run_once_it_is_over(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        pauses = world.service.pauses
        for _ in range(5):
            submits = [asyncio.ensure_future(world.submit()) for _ in range(20)]
            await pauses.pause("default")
            sent = await asyncio.gather(*submits)
            await pauses.resume("default")
            for one in sent:
                assert (await world.ended(one)).attempt == 1
        assert len(upstream.calls) == 100


async def test_deadlines_pass_while_it_is_paused(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        await world.service.pauses.pause("default")
        transaction = await world.submit(headers={"Restante-Deadline": "10s"})
        await world.clock.advance(11 * SECOND)
        await insisted(world.sweeper.sweep)
        assert (await world.now(transaction)).outcome is Outcome.EXPIRED
        await world.service.pauses.resume("default")
        await world.at_rest()
        assert not upstream.calls


async def test_a_pause_outlives_the_process(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream:
        async with a_world(tmp_path, upstream.url) as world:
            await world.service.pauses.pause("default")
            transaction = await world.submit()
        async with a_world(tmp_path, upstream.url, run=False) as world:
            await start(world)
            await world.clock.advance(DAY // 2)
            assert not upstream.calls
            await world.service.pauses.resume("default")
            assert (await world.ended(transaction)).status is Status.COMPLETED


async def start(world: World) -> None:
    """As a process starts: what is paused is known before anything is run."""
    world.service.pauses.know(await world.store.paused())
    world.runner.start(world.service)
