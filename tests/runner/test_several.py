"""Runners on one database: an upstream's limits, and its pauses, are for all of them together."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from restante.core.clock import SECOND
from restante.core.policy import Limits
from restante.core.status import Status

from ..e2e.harness import RecordingUpstream
from ..world import World, a_world, eventually
from .test_fairness import queue

LEASE = 2 * SECOND


class Several:
    """Worlds on one database, in front of one upstream. Use it as a context."""

    def __init__(self, folder: Path, database: str, upstream: RecordingUpstream, **settings: Any) -> None:
        self.worlds: list[World] = []
        self._stack = AsyncExitStack()
        self._make = lambda: a_world(
            folder, upstream.url, database=database, limits=Limits(lease=LEASE), **settings
        )

    async def __aenter__(self) -> "Several":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def add(self) -> World:
        self.worlds.append(await self._stack.enter_async_context(self._make()))
        return self.worlds[-1]

    async def beats(self, count: int) -> None:
        """Lets each ask for its share so often, one after the other."""
        for _ in range(count):
            for world in self.worlds:
                await world.clock.advance(LEASE // 4)
                shares = world.runner._shares
                await eventually(lambda shares=shares: shares._asking is None)  # type: ignore[misc]


def hear(world: World) -> None:
    """As assembly joins them, but for those who wait for news."""
    world.store.listen(
        work=world.runner.work,
        changed=lambda id: None,
        pauses=world.service.pauses.heard,
        post=world.webhooks.heard,
        endpoints=world.service.endpoints.heard,
        keys=world.service.keys.heard,
    )


async def test_no_more_than_concurrency_run_at_once_over_all(tmp_path: Path, database: str) -> None:
    async with (
        RecordingUpstream() as upstream,
        Several(tmp_path, database, upstream, concurrency=4) as several,
    ):
        upstream.gate.clear()
        one = await several.add()
        first = [await one.submit() for _ in range(10)]
        await eventually(lambda: one.runner.running == 4)
        other = await several.add()
        more = [await other.submit() for _ in range(10)]
        await several.beats(4)
        assert (one.runner.running, other.runner.running) == (4, 0)  # what runs is not broken off
        upstream.gate.set()
        for transaction in first + more:
            assert (await one.ended(transaction)).status is Status.COMPLETED
        await several.beats(4)
        upstream.gate.clear()
        before = len(upstream.calls)
        for world in (one, other) * 5:
            await world.submit()
        await eventually(lambda: len(upstream.calls) == before + 4)
        await several.beats(4)
        assert (one.runner.running, other.runner.running) == (2, 2)
        upstream.gate.set()


async def test_a_tenants_limit_is_for_all_of_them_together(tmp_path: Path, database: str) -> None:
    async with (
        RecordingUpstream() as upstream,
        Several(tmp_path, database, upstream, concurrency=12, concurrency_per_tenant=2) as several,
    ):
        worlds = [await several.add() for _ in range(3)]
        await several.beats(4)
        upstream.gate.clear()
        for tenant in "ab":
            for world in worlds * 5:
                await world.submit(tenant=tenant)
        await several.beats(2)
        await eventually(lambda: len(upstream.calls) == 4)
        # Two each, of which every server that has a share at all lets one be sent.
        assert sorted(world.runner.running for world in worlds) == [0, 2, 2]
        upstream.gate.set()
        await eventually(lambda: sum(world.runner.running for world in worlds) == 0)


async def test_what_one_has_no_share_for_another_runs(tmp_path: Path, database: str) -> None:
    async with (
        RecordingUpstream() as upstream,
        Several(tmp_path, database, upstream, concurrency=1) as several,
    ):
        one, other = await several.add(), await several.add()
        hear(one)
        await several.beats(2)
        sent = [await other.submit() for _ in range(5)]
        for transaction in sent:
            assert (await other.ended(transaction)).status is Status.COMPLETED


async def test_a_rate_is_kept_by_all_together(tmp_path: Path, database: str) -> None:
    async with (
        RecordingUpstream() as upstream,
        Several(tmp_path, database, upstream, rate=2.0) as several,
    ):
        worlds = [await several.add() for _ in range(3)]
        await several.beats(3)
        for world in worlds:
            await queue(world, 20, tenant="default", group=20)
        for half in range(1, 11):
            for world in worlds:
                await world.clock.advance(SECOND // 2)
                (lane,) = world.runner.lanes
                await eventually(lambda lane=lane: lane._claiming is None and not lane.running)  # type: ignore[misc]
            assert half - 1 <= len(upstream.calls) <= half + 1


async def test_a_long_queue_delays_another_tenants_single_one_by_a_claim_or_two(
    tmp_path: Path, database: str
) -> None:
    async with (
        RecordingUpstream() as upstream,
        Several(tmp_path, database, upstream, concurrency=4) as several,
    ):
        upstream.gate.clear()
        one, _ = await several.add(), await several.add()
        await queue(one, 2000, tenant="busy")
        upstream.gate.set()
        await eventually(lambda: len(upstream.calls) >= 80)
        single = await one.submit(tenant="single")
        before = len(upstream.calls)
        await one.ended(single)
        ids = [call.header("restante-transaction") for call in upstream.calls]
        assert ids.index(single.id) - before <= 32
        assert one.store.queued > 1000


async def test_what_one_pauses_the_other_stops_and_what_one_resumes_the_other_runs(
    tmp_path: Path, database: str
) -> None:
    async with RecordingUpstream() as upstream, Several(tmp_path, database, upstream) as several:
        one, other = await several.add(), await several.add()
        hear(one)
        await one.service.pauses.pause("default")
        hear(other)
        await eventually(lambda: other.service.pauses.names == {"default"})
        sent = [await world.submit() for world in (one, other) * 3]
        await several.beats(2)
        assert not upstream.calls and one.store.queued + other.store.queued
        await other.service.pauses.resume("default")
        await eventually(lambda: not one.service.pauses.names)
        for transaction in sent:
            assert (await one.ended(transaction)).status is Status.COMPLETED
