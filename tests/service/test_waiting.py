"""Waiting: woken in process by whoever applies a change, forgotten at once by whoever is gone."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from restante.core import change as changes
from restante.core.clock import SECOND
from restante.core.model import Change, Transaction
from restante.core.status import Outcome, Status
from restante.ports import Store

from ..world import World, a_world, eventually

NOWHERE = "http://127.0.0.1:9"
SPAN = 20 * SECOND


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path, NOWHERE, run=False, wrap=Counted) as world:
        yield world


class Counted:
    """A store whose looks are counted, and held back while `gate` is cleared."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.looks = 0
        self.held = False
        self.looking = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def hold_answers(self) -> None:
        """From now on, who applies something hears nothing more."""
        self.held, self.written = True, asyncio.Event()

    async def apply(self, changes: Sequence[Change]) -> list[bool]:
        applied = await self._store.apply(changes)
        if self.held:
            self.written.set()
            await asyncio.Event().wait()
        return applied

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def look(self, ids: Sequence[str], **of: str) -> list[Transaction | None]:
        self.looks += 1
        found = await self._store.look(ids, **of)
        self.looking.set()
        await self.gate.wait()
        return found


def wait(
    world: World, id: str, after: int | None = None, *, tenant: str = "default"
) -> "asyncio.Task[Transaction | None]":
    async def waits() -> Transaction | None:  # by a test's hand (tests/faults.py)
        return await world.service.wait(tenant, id, span=SPAN, after=after)

    return asyncio.create_task(waits())


async def begin(world: World, transaction: Transaction) -> Transaction:
    now = world.clock.now()
    return await world.service.change(
        transaction, lambda current: changes.begin(current, attempt=1, now=now, lease=15 * SECOND)
    )


async def end(world: World, transaction: Transaction) -> Transaction:
    return await end_begun(world, await begin(world, transaction))


async def end_begun(world: World, transaction: Transaction) -> Transaction:
    now = world.clock.now()
    return await world.service.change(
        transaction,
        lambda current: changes.fail(current, attempt=1, now=now, outcome=Outcome.UNREACHABLE, data={}),
    )


async def test_a_wait_ends_with_the_transaction(world: World) -> None:
    one, other = await world.submit(), await world.submit()
    waiting = wait(world, one.id)
    await eventually(lambda: len(world.service.waiting) == 1)
    await end(world, other)
    begun = await begin(world, one)
    assert not waiting.done()
    await end_begun(world, begun)
    found = await waiting
    assert found == await world.now(one)
    assert found.status is Status.FAILED
    assert len(world.service.waiting) == 0


async def test_what_has_ended_is_not_waited_for(world: World) -> None:
    transaction = await world.submit()
    ended = await world.service.cancel("default", transaction.id)
    assert await wait(world, transaction.id) == ended


async def test_a_wait_ends_when_its_time_is_up(world: World) -> None:
    transaction = await world.submit()
    waiting = wait(world, transaction.id)
    await eventually(lambda: len(world.service.waiting) == 1)
    await eventually(world.clock.waited_for)
    await world.clock.advance(SPAN - 1)
    assert not waiting.done()
    await world.clock.advance(1)
    assert await waiting == transaction
    assert len(world.service.waiting) == 0


async def test_with_after_a_wait_ends_with_the_next_event(world: World) -> None:
    transaction = await world.submit()
    waiting = wait(world, transaction.id, after=1)
    behind = wait(world, transaction.id, after=0)
    assert await behind == transaction
    await eventually(world.clock.waited_for)
    begun = await begin(world, transaction)
    assert await waiting == begun


async def test_an_unknown_or_foreign_id_is_not_waited_for(world: World) -> None:
    transaction = await world.submit()
    assert await world.service.wait("default", "no such id", span=SPAN) is None
    assert await world.service.wait("another", transaction.id, span=SPAN) is None
    assert len(world.service.waiting) == 0


async def test_a_change_between_the_look_and_the_wait_is_not_missed(world: World) -> None:
    transaction = await world.submit()
    world.store.gate.clear()
    waiting = wait(world, transaction.id)
    await world.store.looking.wait()  # it has seen `pending`, and does not know it yet
    ended = await end(world, transaction)
    world.store.gate.set()
    assert await waiting == ended


async def test_a_foreign_wait_learns_nothing_of_a_change_meanwhile(world: World) -> None:
    transaction = await world.submit()
    world.store.gate.clear()
    waiting = wait(world, transaction.id, tenant="another")
    await world.store.looking.wait()
    await end(world, transaction)
    world.store.gate.set()
    assert await waiting is None


async def test_a_change_whose_maker_was_given_up_is_told_all_the_same(world: World) -> None:
    transaction = await world.submit()
    waiting = wait(world, transaction.id)
    await eventually(world.clock.waited_for)
    begun = await begin(world, transaction)
    world.store.hold_answers()
    now = world.clock.now()
    making = asyncio.create_task(
        world.service.change(
            begun, lambda t: changes.fail(t, attempt=1, now=now, outcome=Outcome.UNREACHABLE, data={})
        )
    )
    await world.store.written.wait()
    making.cancel()
    await asyncio.wait([making])
    found = await asyncio.wait_for(waiting, 10)
    assert found is not None
    assert found.status is Status.FAILED


async def test_the_mark_of_a_harmless_attempt_is_told(tmp_path: Path) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with a_world(tmp_path, url) as world:
        transaction = await world.submit("GET", "/slow")
        found = await asyncio.wait_for(wait(world, transaction.id, after=1), 10)
        assert found is not None
        assert (found.status, found.attempt) == (Status.PROCESSING, 1)
    server.close()


@pytest.mark.sound_store("counts looks and timers")
async def test_who_is_given_up_leaves_nothing_behind(world: World) -> None:
    transaction = await world.submit()
    waits = [wait(world, transaction.id) for _ in range(100)]
    await eventually(lambda: len(world.service.waiting) == 100)
    await eventually(lambda: world.clock.waited_for() == 100)
    for one in waits:
        one.cancel()
    await asyncio.wait(waits)
    assert len(world.service.waiting) == 0
    assert world.clock.waited_for() == 0


async def test_while_the_process_drains_nobody_waits(world: World) -> None:
    transaction = await world.submit()
    waiting = wait(world, transaction.id)
    await eventually(world.clock.waited_for)
    world.service.drain()
    assert await waiting == transaction
    assert await wait(world, transaction.id) == transaction
    assert not world.service.accepting


@pytest.mark.sound_store("counts looks and timers")
async def test_five_thousand_are_woken_by_one_change_without_asking_the_store_again(world: World) -> None:
    transaction = await world.submit()
    waits = [wait(world, transaction.id) for _ in range(5000)]
    await eventually(lambda: world.clock.waited_for() == 5000)
    tasks, looks = len(asyncio.all_tasks()), world.store.looks
    assert tasks <= 5000 + 2  # its own request's, and no other
    assert looks == 5000
    ended = await end(world, transaction)
    assert await asyncio.gather(*waits) == [ended] * 5000
    assert world.store.looks == looks
    assert len(world.service.waiting) == 0


@pytest.mark.sound_store("counts looks and timers")
async def test_five_thousand_each_for_another_are_each_woken_by_their_own(world: World) -> None:
    made = [await world.submit() for _ in range(20)]
    waits = [wait(world, made[number % 20].id) for number in range(5000)]
    await eventually(lambda: world.clock.waited_for() == 5000)
    ended = await asyncio.gather(*(end(world, transaction) for transaction in made))
    assert await asyncio.gather(*waits) == [ended[number % 20] for number in range(5000)]


async def test_a_watch_costs_a_few_hundred_bytes(world: World) -> None:
    count = 1000
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        watches = [world.service.waiting.watch(f"{number:036d}") for number in range(count)]
        for watch in watches:
            watch.__enter__()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / count < 800
