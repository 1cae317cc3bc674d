"""A busy tenant does not starve another, wherever its queue stands."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from restante.core.clock import SECOND
from restante.core.model import Claim
from restante.core.policy import Limits
from restante.core.status import Status
from restante.runner.lane import AHEAD
from restante.runner.ready import Ready
from restante.stores.sqlite import SQLiteStore

from ..e2e.harness import RecordingUpstream
from ..stores.samples import a_submission
from ..world import World, a_world, eventually

CONCURRENCY = 4
QUEUED = 5000


async def queue(world: World, count: int, *, tenant: str, group: int = 500) -> None:
    for _ in range(count // group):
        await asyncio.gather(*[world.submit(tenant=tenant) for _ in range(group)])


async def calls_before(world: World, upstream: RecordingUpstream, id: str) -> int:
    """How many others the upstream was sent before this one."""

    def ids() -> list[str]:
        return [call.header("restante-transaction") for call in upstream.calls]

    before = len(upstream.calls)
    await eventually(lambda: id in ids())
    return ids().index(id) - before


@pytest.mark.parametrize("left_over", [True, False])
async def test_a_long_queue_delays_another_tenants_single_one_by_a_claim_or_two(
    left_over: bool, tmp_path: Path
) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, concurrency=CONCURRENCY, run=False) as world,
    ):
        upstream.gate.clear()
        if not left_over:
            world.runner.start(world.service)
        await queue(world, QUEUED, tenant="busy")
        if left_over:
            world.runner.start(world.service)
        upstream.gate.set()
        await eventually(lambda: len(upstream.calls) >= 20 * CONCURRENCY)
        single = await world.submit(tenant="single")
        assert await calls_before(world, upstream, single.id) <= 2 * AHEAD * CONCURRENCY
        assert world.store.queued > QUEUED // 2


async def test_a_slow_upstream_does_not_make_a_long_queue_longer(tmp_path: Path) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, rate=1.0, concurrency=64) as world,
    ):
        await asyncio.gather(*[world.submit(tenant="busy") for _ in range(200)])
        single = await world.submit(tenant="single")
        for _ in range(300):
            await world.store.ping()  # whoever asks the store meanwhile has its answer
            await eventually(lambda: not world.runner.running)
            order = [call.header("restante-transaction") for call in upstream.calls]
            if single.id in order:
                break
            await world.clock.advance(SECOND)
        assert order.index(single.id) < 9


@pytest.mark.parametrize("left_over", [True, False])
async def test_no_more_of_one_tenant_are_sent_at_once_than_he_may_have(
    left_over: bool, tmp_path: Path
) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, concurrency=8, concurrency_per_tenant=2, run=not left_over) as world,
    ):
        upstream.gate.clear()
        first = [await world.submit(tenant="a") for _ in range(50)]
        if left_over:
            world.runner.start(world.service)
        await eventually(lambda: len(upstream.calls) == 2)
        other = [await world.submit(tenant=tenant) for tenant in "bcd" for _ in range(3)]
        await eventually(lambda: len(upstream.calls) == 8)
        assert world.runner.running == 8
        asked = Counter(call.header("restante-transaction") for call in upstream.calls)
        shown = Counter(one.tenant for one in await world.store.look(list(asked)))
        assert shown == {"a": 2, "b": 2, "c": 2, "d": 2}
        most = 0
        lane = world.runner.lanes[0]

        def ended() -> bool:
            nonlocal most
            most = max([most, *Counter(lane._under_way.values()).values()])
            return not world.store.queued

        upstream.gate.set()
        await eventually(ended)
        assert most == 2
        for transaction in first + other:
            assert (await world.ended(transaction)).status is Status.COMPLETED
        assert (lane._has, lane._full) == ({}, set())


async def a_claim(store: SQLiteStore, tenant: str, priority: int = 0) -> Claim:
    submission = await a_submission(store, tenant=tenant, priority=priority)
    return Claim(submission.transaction, None)


async def test_what_is_ready_goes_round_the_tenants_and_by_priority_within_one(tmp_path: Path) -> None:
    store = await SQLiteStore.open(str(tmp_path / "restante.db"), limits=Limits())
    ready, chance = Ready(), Random(3)
    claims = [await a_claim(store, "busy", chance.randrange(3)) for _ in range(30)]
    claims += [await a_claim(store, "single", -1), *[await a_claim(store, "few") for _ in range(3)]]
    for claim in claims:
        ready.push(claim)
    assert len(ready) == len(claims)
    order = [ready.pop().transaction for _ in claims]
    assert [one.tenant for one in order[:6]] == ["busy", "single", "few", "busy", "few", "busy"]
    busy = [one for one in order if one.tenant == "busy"]
    assert busy == sorted(busy, key=lambda one: (-one.priority, one.key))
    assert len(ready) == 0 and ready.clear() == []
    await store.close()


class Turns:
    """An upstream's gate that lets calls through one by one."""

    def __init__(self) -> None:
        self.doors: list[asyncio.Event] = []

    async def wait(self) -> None:
        self.doors.append(asyncio.Event())
        await self.doors[-1].wait()


class SlowClaims:
    """A store that is asked for more while `gate` is closed, and answers afterwards."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def claim(self, *what: Any, **how: Any) -> Any:
        self.asked += 1
        await self.gate.wait()
        return await self.inner.claim(*what, **how)


async def test_who_has_room_again_while_the_store_is_asked_is_asked_for_once_more(tmp_path: Path) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(
            tmp_path, upstream.url, concurrency=8, concurrency_per_tenant=2, run=False, wrap=SlowClaims
        ) as world,
    ):
        upstream.gate = turns = Turns()
        waiting = [await world.submit() for _ in range(5)]
        world.runner.start(world.service)
        await eventually(lambda: len(turns.doors) == 2)
        world.store.gate.clear()
        asked = world.store.asked
        turns.doors[0].set()
        await eventually(lambda: world.store.asked > asked)  # for one, as the other is under way
        turns.doors[1].set()
        await eventually(lambda: not world.runner.running)
        world.store.gate.set()
        for number in range(2, 5):
            await eventually(lambda number=number: len(turns.doors) > number)  # type: ignore[misc]
            turns.doors[number].set()
        for transaction in waiting:
            assert (await world.ended(transaction)).status is Status.COMPLETED
