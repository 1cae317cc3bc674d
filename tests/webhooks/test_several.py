"""Several processes on one PostgreSQL: who writes an event, who is told of endpoints, who sends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from restante.core.clock import SECOND
from restante.core.delivery import Sought, State
from restante.core.endpoint import switched_off, switched_on
from restante.core.policy import Webhooks as Settings
from restante.stores import cursors
from restante.stores.postgres.url import read_url

from ..couriers import header
from ..fakes import FakeClock
from ..stores.samples import accepted, applied, begin
from ..world import World, a_world, eventually
from .test_webhooks import GOOD, OTHER, becomes, endpoint, upstream

__all__ = ["upstream"]

PATIENCE_SECONDS = 20.0


@asynccontextmanager
async def a_server(
    folder: Path, upstream: str, database: str, clock: FakeClock, *, run: bool = True, send: bool = True
) -> AsyncIterator[World]:
    """A process of several, that hears of the others."""
    async with a_world(folder, upstream, database=database, clock=clock, run=run, send=send) as world:
        world.store.listen(
            work=world.runner.work,
            changed=lambda id: world.service.feed.heard(),
            pauses=world.service.pauses.heard,
            post=world.webhooks.heard,
            endpoints=world.service.endpoints.heard,
            keys=world.service.keys.heard,
        )
        yield world


async def test_what_one_process_writes_another_sends(tmp_path: Path, upstream: str, database: str) -> None:
    clock = FakeClock()
    async with (
        a_server(tmp_path, upstream, database, clock, send=False) as runs,
        a_server(tmp_path, upstream, database, clock, run=False) as sends,
    ):
        await endpoint(sends)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while runs.service.endpoints.one("ep_1") is None:  # the signal
                await asyncio.sleep(0.01)
        await runs.ended(await runs.submit())
        await eventually(lambda: len(sends.courier.sent) == 1)
        assert runs.courier.sent == []
        await becomes(runs, lambda one: one.state is State.DELIVERED)


async def test_an_endpoint_that_was_not_heard_of_yet_is_asked_for_and_not_given_up(
    tmp_path: Path, upstream: str, database: str
) -> None:
    clock = FakeClock()
    async with (
        a_world(tmp_path, upstream, database=database, clock=clock, send=False) as runs,
        a_world(tmp_path, upstream, database=database, clock=clock, run=False) as sends,
    ):
        made = await endpoint(runs)
        await runs.ended(await runs.submit(headers={"Restante-Callback-Url": OTHER}))
        assert sends.service.endpoints.of("default") == ()  # they do not listen to each other
        sends.webhooks.heard(None, 0)
        await eventually(lambda: len(sends.courier.sent) == 2)
        assert {parcel.url for parcel in sends.courier.sent} == {made.url, OTHER}


async def test_several_senders_send_each_delivery_once(tmp_path: Path, upstream: str, database: str) -> None:
    clock = FakeClock()
    async with (
        a_server(tmp_path, upstream, database, clock) as one,
        a_server(tmp_path, upstream, database, clock, run=False) as two,
    ):
        await endpoint(one)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while two.service.endpoints.one("ep_1") is None:
                await asyncio.sleep(0.01)
        pending = [await one.submit() for _ in range(30)]
        for transaction in pending:
            await one.ended(transaction)
        sent = lambda: one.courier.sent + two.courier.sent  # noqa: E731
        await eventually(lambda: len(sent()) >= 30)
        await eventually(lambda: one.webhooks.at_rest and two.webhooks.at_rest)
        ids = [header(parcel, b"webhook-id") for parcel in sent()]
        assert len(ids) == len(set(ids)) == 30
        states = {found.state for found in await one.store.deliveries(Sought(endpoint="ep_1", limit=100))}
        assert states == {State.DELIVERED}


async def test_an_endpoint_that_is_switched_is_so_everywhere(
    tmp_path: Path, upstream: str, database: str
) -> None:
    clock = FakeClock()
    async with (
        a_server(tmp_path, upstream, database, clock) as one,
        a_server(tmp_path, upstream, database, clock, run=False) as two,
    ):
        await endpoint(one)

        def known(active: bool) -> bool:
            found = two.service.endpoints.one("ep_1")
            return found is not None and found.active is active

        await eventually(lambda: known(True))
        await one.service.endpoints.change("ep_1", lambda found: switched_off(found, None))
        await eventually(lambda: known(False))
        await two.service.endpoints.change("ep_1", switched_on)
        await eventually(lambda: bool(one.service.endpoints.of("default")[0].active))


async def test_what_a_dead_process_was_sending_another_sends_when_the_lease_ends(
    tmp_path: Path, upstream: str, database: str
) -> None:
    clock = FakeClock()
    async with a_server(tmp_path, upstream, database, clock, run=False) as two:
        async with a_server(tmp_path, upstream, database, clock) as one:
            await endpoint(one)
            two.courier.hanging[GOOD] = one.courier.hanging[GOOD] = asyncio.Event()
            await one.ended(await one.submit())
            await eventually(lambda: bool(one.courier.sent or two.courier.sent))
        first, other = (one, two) if one.courier.sent else (two, one)
        if first is two:
            pytest.skip("the one that stays was faster")
        other.courier.hanging.clear()
        await clock.advance(Settings().lease + SECOND)
        done = await becomes(two, lambda found: found.state is State.DELIVERED)
        assert done.attempt == 2


async def test_no_entry_is_read_while_one_before_it_may_still_be_committed(
    tmp_path: Path, upstream: str, database: str
) -> None:
    async with a_world(tmp_path, upstream, database=database, run=False, send=False) as world:
        store = world.store
        early, late = await accepted(store), await accepted(store)
        await applied(store, begin(early))
        slow = await asyncpg.connect(read_url(database).url)
        try:
            await slow.execute("BEGIN")
            await slow.execute(
                "INSERT INTO restante.feed (tenant, key, id, behind, last, at) "
                "VALUES ('default', $1, $2, 0, 2, 0)".replace("$1", str(late.key)).replace(
                    "$2", f"'{late.id}'"
                )
            )
            first = await store.feed("default", None, 10)
            assert [entry.id for entry in first] == [early.id]
            await applied(store, begin(await accepted(store)))  # with a later number, committed first
            assert await store.feed("default", first[-1].cursor, 10) == []
            await slow.execute("COMMIT")
        finally:
            await slow.close()
        rest = await store.feed("default", first[-1].cursor, 10)
        assert len(rest) == 2
        assert rest[0].id == late.id


async def test_who_waits_for_the_feed_hears_of_other_processes(
    tmp_path: Path, upstream: str, database: str
) -> None:
    clock = FakeClock()
    async with (
        a_server(tmp_path, upstream, database, clock, send=False) as runs,
        a_server(tmp_path, upstream, database, clock, run=False, send=False) as reads,
    ):
        waiting = asyncio.ensure_future(
            reads.service.feed.entries("default", None, limit=10, span=20 * SECOND)
        )
        await eventually(lambda: bool(reads.service.feed._waiting))
        await runs.submit()
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await waiting
        assert found[0].behind == 0


async def test_entries_of_another_server_come_first_and_its_cursors_are_refused(
    tmp_path: Path, upstream: str, database: str
) -> None:
    """As after a copy was brought into a server that has counted fewer transactions."""
    from restante.core.errors import BadRequest

    async with a_world(tmp_path, upstream, database=database, run=False, send=False) as world:
        for _ in range(3):
            await applied(world.store, begin(await accepted(world.store)))
        before = await world.store.feed("default", None, 10)
        secret = world.store.secret
    there = await asyncpg.connect(read_url(database).url)
    await there.execute("UPDATE restante.feed SET xid = (xid::text::bigint + 1000000)::text::xid8")
    await there.close()
    commit, number = cursors.place_of(secret, "default", before[-1].cursor)
    far = cursors.spell(secret, "default", (commit + 1_000_000, number))
    async with a_world(tmp_path, upstream, database=database, run=False, send=False) as world:
        found = await world.store.feed("default", None, 10)
        assert [entry.id for entry in found] == [entry.id for entry in before]
        with pytest.raises(BadRequest):
            await world.store.feed("default", far, 10)
        last = await applied(world.store, begin(await accepted(world.store)))
        assert [entry.id for entry in await world.store.feed("default", found[-1].cursor, 10)] == [last.id]
