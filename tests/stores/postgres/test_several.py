"""Several processes on one database: nothing is anybody's twice, and what a dead one held is not lost."""

import asyncio
from collections.abc import Callable

import pytest

from restante.core.clock import SECOND
from restante.core.errors import KeyReused, MoveRefused, StoreUnavailable
from restante.core.status import Phase, Reading
from restante.stores.postgres import PostgresStore
from restante.stores.postgres.machine import machine
from restante.stores.postgres.nodes import LONGEST_COUNT_REST_SECONDS, rest_after

from ..samples import (
    LEASE,
    NOW,
    a_key,
    a_submission,
    accepted,
    applied,
    begin,
    claimed,
    complete,
    completed,
    failed,
    now_is,
)
from .conftest import Opener, asked, killed

PATIENCE_SECONDS = 20
SHORT = SECOND // 5
"""A lease that a test can wait for."""


async def taken_over(store: PostgresStore) -> list[int]:
    """What can be claimed as soon as there is something."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (keys := await claimed(store)):
            await asyncio.sleep(0.02)
    return keys


async def test_claims_are_disjoint(opening: Opener) -> None:
    stores = [await opening() for _ in range(3)]
    pending = [await accepted(stores[0]) for _ in range(100)]
    claims = await asyncio.gather(*[claimed(store, limit=7) for store in stores * 6])
    keys = [key for some in claims for key in some]
    assert len(set(keys)) == len(keys) == 100
    assert set(keys) == {one.key for one in pending}


async def test_keys_are_disjoint(opening: Opener) -> None:
    stores = [await opening() for _ in range(2)]
    blocks = await asyncio.gather(*[store.reserve_numbers(500) for store in stores * 4])
    assert len({key for block in blocks for key in block}) == 8 * 500


async def test_a_write_is_read_by_all_at_once(opening: Opener) -> None:
    one, other = await opening(), await opening()
    assert one.secret == other.secret
    begun = await applied(one, begin(await accepted(one)))
    assert await now_is(other, begun) == begun
    done = await applied(other, complete(begun))
    assert await now_is(one, begun) == done
    assert await one.results([done.key]) == await other.results([done.key])


async def test_two_racing_first_submits_at_two_servers_are_one_transaction(opening: Opener) -> None:
    stores = [await opening() for _ in range(3)]
    for place in range(10):
        submissions = [(store, await a_submission(store, key=b"%d" % place)) for store in stores * 3]
        answers = await asyncio.gather(*[store.accept([one]) for store, one in submissions])
        assert len({answer[0].transaction.id for answer in answers}) == 1  # type: ignore[union-attr]
        assert sum(not answer[0].replayed for answer in answers) == 1  # type: ignore[union-attr]
    other = await a_submission(stores[0], key=b"0", fingerprint=b"g" * 32)
    assert isinstance((await stores[1].accept([other]))[0], KeyReused)


async def test_groups_that_share_keys_in_any_order_do_not_lock_each_other_out(opening: Opener) -> None:
    stores = [await opening() for _ in range(3)]
    keys = [b"%d" % place for place in range(40)]
    calls = []
    for place, store in enumerate(stores * 2):
        order = keys if place % 2 else keys[::-1]
        calls.append(store.accept([await a_submission(store, key=key) for key in order]))
    answers = await asyncio.gather(*calls)
    assert len({answer.transaction.id for call in answers for answer in call}) == 40  # type: ignore[union-attr]


async def test_of_many_racing_readers_one_reads(opening: Opener) -> None:
    stores = [await opening() for _ in range(3)]
    done = await failed(stores[0])
    tokens = await asyncio.gather(*[store.reserve_reading(done.key) for store in stores * 10])
    (token,) = [token for token in tokens if token is not None]
    ends = [store.settle_reading(done.key, token, Reading.READ) for store in stores]
    assert sorted(await asyncio.gather(*ends)) == [False, False, True]


async def test_of_many_racing_changes_one_is_applied(opening: Opener) -> None:
    stores = [await opening() for _ in range(3)]
    begun = [await applied(stores[0], begin(await accepted(stores[0]))) for _ in range(20)]
    calls = [
        store.apply([complete(one, body=b"%d" % place) for one in (begun if place % 2 else begun[::-1])])
        for place, store in enumerate(stores * 2)
    ]
    answers = await asyncio.gather(*calls)
    assert sum(sum(answer) for answer in answers) == 20
    assert {len(log) for log in await stores[0].events([one.key for one in begun])} == {3}


async def test_a_dead_servers_claims_are_taken_over_when_its_lease_ends(opening: Opener) -> None:
    dead, alive = await opening(lease=SHORT), await opening(lease=SHORT)
    claimed_one = await accepted(dead, claim=True)
    sent = await applied(dead, begin(await accepted(dead, claim=True)))
    reserved = await failed(dead)
    assert await dead.reserve_reading(reserved.key)
    assert await claimed(alive, now=NOW + LEASE) == []
    await killed(dead)
    keys = await taken_over(alive)
    assert sorted(keys) == [claimed_one.key, sent.key]
    found = await alive.look([sent.id, reserved.id])
    assert found[0] == sent
    assert found[0].phase is Phase.SENDING
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await alive.look([reserved.id]))[0] != reserved:
            await asyncio.sleep(0.02)


async def test_what_the_database_has_forgotten_the_end_of_is_taken_up_again(opening: Opener) -> None:
    """As after a failover: it says that this process, which is alive, holds what it holds no more."""
    alive = await opening(lease=SHORT)
    pending = await accepted(alive, claim=True)
    running, lost = [await applied(alive, begin(await accepted(alive, claim=True))) for _ in range(2)]
    alive._nodes.let_go(lost.key)
    assert await taken_over(alive) == [lost.key]
    assert await now_is(alive, lost) == lost
    assert await claimed(alive, now=NOW + LEASE) == []  # what it does hold remains its own
    await applied(alive, complete(running))
    await applied(alive, begin(pending))


async def test_who_is_started_where_another_has_ended_takes_over_at_once(
    opening: Opener, database: str
) -> None:
    dead, alive = await opening(), await opening()
    held = {
        process: await accepted(store, claim=True) for process, store in (("dead", dead), ("alive", alive))
    }
    child = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        await asked(database, "UPDATE restante.nodes SET process = $1", child.pid)
        assert await claimed(await opening(), now=NOW + LEASE) == []
        number = "UPDATE restante.nodes SET process = $2 WHERE node = $1"
        gone = await asyncio.create_subprocess_exec("true")
        await gone.wait()
        await asked(database, number, dead._nodes.node, gone.pid)
        await asked(database, "UPDATE restante.nodes SET machine = 'elsewhere' WHERE process = $1", gone.pid)
        assert await claimed(await opening(), now=NOW + LEASE) == []  # of another machine nothing is known
        await asked(database, "UPDATE restante.nodes SET machine = $1", machine())
        assert await claimed(await opening(), now=NOW + LEASE) == [held["dead"].key]
    finally:
        child.kill()
        await child.wait()


async def test_a_lease_is_held_however_long_its_work_takes(opening: Opener, database: str) -> None:
    busy, other = await opening(lease=SHORT), await opening(lease=SHORT)
    pending = await accepted(busy, claim=True)
    sent = await applied(busy, begin(await accepted(busy, claim=True)))
    lease = "SELECT extract(epoch FROM lease_until)::float8 FROM restante.nodes WHERE node = $1"
    ((first,),) = await asked(database, lease, busy._nodes.node)
    last = first
    while last < first + 3 * SHORT / SECOND:  # it was renewed for so long
        assert await claimed(other, now=NOW + LEASE) == []
        ((last,),) = await asked(database, lease, busy._nodes.node)
    await applied(busy, begin(pending))
    await applied(busy, complete(sent))


async def test_who_was_taken_for_dead_begins_and_settles_nothing(opening: Opener, database: str) -> None:
    stalled, other = await opening(), await opening(lease=SHORT)
    held, sent = await accepted(stalled, claim=True), await accepted(stalled, claim=True)
    sent = await applied(stalled, begin(sent))
    await asked(
        database, "UPDATE restante.nodes SET lease_until = now() WHERE node = $1", stalled._nodes.node
    )
    assert sorted(await taken_over(other)) == [held.key, sent.key]
    with pytest.raises(MoveRefused):
        await stalled.apply([begin(held)])
    begun = await applied(other, begin(held))
    ended = await applied(other, complete(sent))
    assert await stalled.apply([complete(sent)]) == [False]
    assert await now_is(stalled, sent) == ended
    await stalled.release([held.key, sent.key])
    assert await claimed(other, now=NOW + LEASE) == []  # the release of what is not its own frees nothing
    await stalled._nodes._beat()
    with pytest.raises(MoveRefused):
        await stalled.apply([begin(await accepted(other, claim=True))])
    mine = await accepted(stalled, claim=True)  # and it goes on under a number of its own
    await applied(stalled, begin(mine))
    await applied(other, complete(begun))


async def test_after_the_database_was_away_all_may_come_back(opening: Opener, database: str) -> None:
    """Every lease has ended at once: nobody is taken for dead by one who has just come back himself."""
    one, other = await opening(), await opening()
    pending = await accepted(one, claim=True)
    await asked(database, "UPDATE restante.nodes SET lease_until = now() - interval '1 minute'")
    other._nodes._seen -= 60
    await other._nodes._beat()
    assert await claimed(other) == []
    await one._nodes._beat()
    await other._nodes._beat()
    assert await claimed(other) == []
    await applied(one, begin(pending))


async def test_what_a_server_that_ends_held_is_free_at_once(opening: Opener) -> None:
    ending, other = await opening(), await opening()
    pending = await accepted(ending, claim=True)
    await ending.close()
    assert await claimed(other) == [pending.key]


async def test_pieces_of_a_dead_servers_uploads_are_dropped(opening: Opener, database: str) -> None:
    dead, alive = await opening(lease=SHORT), await opening(lease=SHORT)
    mine, theirs = await a_key(alive), await a_key(dead)
    await alive.write_chunk(mine, 0, 0, b"mine")
    await dead.write_chunk(theirs, 0, 0, b"theirs")
    await killed(dead)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await alive.read_chunk(theirs, 0, 0) is not None:
            await asyncio.sleep(0.02)
    assert await alive.read_chunk(mine, 0, 0) == b"mine"
    fresh = await opening()
    assert await fresh.read_chunk(mine, 0, 0) == b"mine"


async def test_how_many_wait_is_known_everywhere_with_the_next_count(opening: Opener) -> None:
    one, other = await opening(), await opening()
    for _ in range(5):
        await accepted(one)
    await completed(one)
    assert (one.queued, other.queued) == (5, 0)
    counting = asyncio.ensure_future(other._nodes.count())
    await accepted(other, tenant="b")  # in between, or not: it is counted once, or twice until the next time
    await counting
    assert other.queued_of("default") == 5
    await other._nodes.count()
    assert (other.queued, other.queued_of("default"), other.queued_of("b")) == (6, 5, 1)


async def test_counting_takes_a_hundredth_of_the_time_and_never_ceases() -> None:
    assert rest_after(0.001) == pytest.approx(0.1)  # less than a beat: counted at every one
    assert rest_after(0.2) == pytest.approx(20)
    assert rest_after(15.0) == LONGEST_COUNT_REST_SECONDS


class Heard:
    """What a store tells."""

    def __init__(self, store: PostgresStore, *, keys: Callable[[], None] | None = None) -> None:
        self.told: list[tuple[object, ...]] = []
        store.listen(
            work=lambda upstream, moment: self.told.append((upstream, moment)),
            pauses=lambda: self.told.append(("pauses",)),
            changed=lambda id: self.told.append((id,)),
            post=lambda lane, moment: self.told.append(("post", lane, moment)),
            endpoints=lambda: self.told.append(("endpoints",)),
            keys=keys or (lambda: self.told.append(("keys",))),
        )

    async def until(self, *what: object) -> None:
        async with asyncio.timeout(3):  # shorter than the poll
            while what not in self.told:
                await asyncio.sleep(0.005)


async def test_a_server_hears_of_work_and_changes_at_others(opening: Opener) -> None:
    one, other = await opening(), await opening()
    heard = Heard(other)
    own = Heard(one)
    await heard.until(None)  # it listens
    await own.until(None)
    one._nodes.others = 1
    pending = await accepted(one, upstream="bank", due_at=NOW + 7)
    await heard.until("bank", NOW + 7)
    await applied(one, begin(pending))
    await heard.until(pending.id)
    assert ("bank", NOW + 7) not in own.told  # what it did itself it knows
    many = [await accepted(one, claim=True) for _ in range(20)]
    await applied(one, *[begin(each) for each in many])
    for each in many:
        await heard.until(each.id)


async def test_more_changes_than_signals_can_carry_are_one_look_at_everything(opening: Opener) -> None:
    one, other = await opening(), await opening()
    one._nodes.others = 1
    one._signals._ids = {f"{number:08x}-0000-4000-8000-000000000000" for number in range(4000)}
    one._signals._work = {f"u{number}": number for number in range(3)}
    payloads = one._signals._payloads()
    assert len(payloads) == 4
    one._signals._ids = {f"{number:08x}-0000-4000-8000-000000000000" for number in range(3000)}
    payloads = one._signals._payloads()
    assert len(payloads) == 10
    assert max(map(len, payloads)) < 8000
    heard = Heard(other)
    await heard.until(None)
    heard.told.clear()
    for payload in payloads:
        other._signals._heard(None, 0, "restante", payload)
    assert len(heard.told) == 3000


async def test_a_listening_connection_that_breaks_is_replaced_and_everybody_looks(
    opening: Opener, database: str
) -> None:
    one, other = await opening(), await opening()
    heard = Heard(other)
    await heard.until(None)
    heard.told.clear()
    await asked(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> "
        "pg_backend_pid()",
    )
    await heard.until(None)
    await accepted(one)
    one._nodes.others = 1
    await accepted(one, upstream="bank", due_at=NOW)
    await heard.until("bank", NOW)


async def test_behind_a_pooler_nothing_is_listened_for_and_everybody_looks_often(
    opening: Opener, database: str
) -> None:
    one, other = await opening(database + "&pooler=on"), await opening(database + "&pooler=on")
    heard = Heard(other)
    for _ in range(2):
        heard.told.clear()
        await heard.until(None, 0)
    one._nodes.others = 1
    pending = await accepted(one)
    assert await claimed(other) == [pending.key]
    await applied(other, begin(pending))
    assert not one._signals._work  # nothing is gathered that nobody will hear
    rows = await asked(database, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    assert rows[0][0] == 0


async def test_a_signal_of_somebody_elses_is_left_alone(opening: Opener, database: str) -> None:
    store = await opening()
    heard = Heard(store)
    await heard.until(None)
    await asked(database, "SELECT pg_notify('restante', 'hello')")
    await asked(database, 'SELECT pg_notify(\'restante\', \'{"node":0,"work":{"bank":7}}\')')
    await heard.until("bank", 7)


async def test_a_closed_store_refuses_to_be_used(opening: Opener) -> None:
    store = await opening()
    pending = await accepted(store, claim=True)
    await store.close()
    await store.release([pending.key])
    with pytest.raises(StoreUnavailable):
        await store.claim("default", 1, NOW)


async def test_a_pause_is_told_to_all(opening: Opener) -> None:
    one, other = await opening(lease=SHORT), await opening(lease=SHORT)
    heard = Heard(other)
    await heard.until(None, 0)
    heard.told.clear()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while ("pauses",) not in heard.told:  # told again until each knows of the other
            await one.pause("default")
            await asyncio.sleep(0.02)
    assert await other.paused() == {"default"}
    assert await claimed(other) == []
