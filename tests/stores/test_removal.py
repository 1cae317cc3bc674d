"""What is swept: results at the end of their retention, transactions at the end of their history."""

import msgspec

from restante.core.clock import DAY
from restante.core.model import Accepted, Body
from restante.core.status import Reading
from restante.ports import Store

from .conftest import Opener
from .samples import NOW, a_submission, accepted, applied, begin, complete, completed, now_is, read


async def test_lapsed_ones_come_earliest_first(store: Store) -> None:
    moments = [5, 3, 9, 1, 7]
    some = [await accepted(store, sweep_at=NOW + moment) for moment in moments]
    lapsed = await store.lapsed(NOW + 7, 3)
    assert lapsed == [some[3], some[1], some[0]]
    assert [one.sweep_at for one in await store.lapsed(NOW + 7, 10)] == [NOW + 1, NOW + 3, NOW + 5, NOW + 7]
    assert await store.lapsed(NOW, 10) == []


async def test_what_has_not_ended_lapses_and_tidying_leaves_it_alone(store: Store) -> None:
    some = [await accepted(store), await applied(store, begin(await accepted(store)))]
    await store.tidy(NOW + 90 * DAY)
    assert {one.key for one in await store.lapsed(NOW + DAY, 10)} == {one.key for one in some}
    assert await store.look([one.id for one in some]) == some
    assert None not in await store.requests([one.key for one in some])


async def test_what_is_kept_is_there_however_often_it_is_tidied(store: Store) -> None:
    done, large = await completed(store), await applied(store, begin(await accepted(store)))
    await store.write_chunk(large.key, 1, 0, b"piece")
    await applied(store, complete(large, body=Body(5, None)))
    for moment in (NOW, NOW + DAY - 1, NOW + DAY - 1):
        await store.tidy(moment)
        assert None not in await store.results([done.key, large.key])
        assert await store.read_chunk(large.key, 1, 0) == b"piece"
    await store.tidy(NOW + 29 * DAY)
    assert await now_is(store, done) == done
    assert [len(log) for log in await store.events([done.key])] == [3]


async def test_the_next_lapse_is_the_earliest_of_what_has_not_ended(store: Store) -> None:
    assert await store.next_lapse(NOW + DAY) is None
    for moment in (1, 2):
        begun = await applied(store, begin(await accepted(store, expires_at=NOW + moment)))
        await applied(store, complete(begun))
    for moment in (9, 5, 7):
        await accepted(store, sweep_at=NOW + moment)
    assert await store.next_lapse(NOW + 4) is None
    assert await store.next_lapse(NOW + 5) == NOW + 5
    assert await store.next_lapse(NOW + DAY) == NOW + 5


async def test_a_purged_result_is_gone_and_its_transaction_is_not(store: Store) -> None:
    done, other = await completed(store), await completed(store)
    later = msgspec.structs.replace(done, sweep_at=NOW + 30 * DAY)
    await store.purge([later], [])
    assert await now_is(store, done) == later
    assert await store.results([done.key]) == [None]
    assert await store.requests([done.key]) == [None]
    assert [len(log) for log in await store.events([done.key])] == [3]
    assert later not in await store.lapsed(NOW + 2 * DAY, 10)
    assert None not in await store.results([other.key])


async def test_a_forgotten_transaction_leaves_nothing(store: Store) -> None:
    some = [await completed(store, key=b"%d" % place) for place in range(5)]
    kept = await completed(store)
    await store.purge([], some)
    keys = [one.key for one in some]
    assert await store.look([one.id for one in some]) == [None] * 5
    assert await store.events(keys) == [[]] * 5
    assert await store.results(keys) == [None] * 5
    assert await store.requests(keys) == [None] * 5
    assert await now_is(store, kept) == kept
    again = await a_submission(store, key=b"0")
    assert await store.accept([again]) == [Accepted(again.transaction)]


async def test_a_purge_forgets_the_idempotency_key(store: Store) -> None:
    done = await completed(store, key=b"a")
    await store.purge([done], [])
    fresh = await a_submission(store, key=b"a")
    assert await store.accept([fresh]) == [Accepted(fresh.transaction)]


async def test_a_purge_leaves_a_key_that_was_given_away_alone(store: Store) -> None:
    old = await completed(store, key=b"a")
    new = await a_submission(store, key=b"a", created_at=NOW + DAY, expires_at=NOW + 2 * DAY)
    await store.accept([new])
    await store.purge([old], [old])
    again = await a_submission(store, key=b"a", created_at=NOW + DAY + 1)
    assert await store.accept([again]) == [Accepted(new.transaction, replayed=True)]


async def test_some_are_purged_and_others_forgotten_in_one_call(store: Store) -> None:
    one, two = await completed(store), await completed(store)
    await store.purge([msgspec.structs.replace(one, sweep_at=NOW + 9 * DAY)], [two])
    assert await now_is(store, two) is None
    found = await now_is(store, one)
    assert found
    assert found.sweep_at == NOW + 9 * DAY
    await store.purge([], [])


async def test_a_reading_that_a_dead_process_had_reserved_is_unread(opened: Opener) -> None:
    store = await opened()
    reserved, done = await completed(store), await completed(store)
    before = await store.reserve_reading(reserved.key)
    assert before is not None
    await read(store, done)
    store = await opened()
    found = await store.look([reserved.id, done.id])
    assert [one.reading for one in found if one] == [Reading.UNREAD, Reading.READ]
    assert await store.reserve_reading(reserved.key) != before
    assert not await store.settle_reading(reserved.key, before, Reading.READ)


async def test_what_was_written_is_there_after_a_start(opened: Opener) -> None:
    store = await opened()
    done = await completed(store)
    results, events, secret = await store.results([done.key]), await store.events([done.key]), store.secret
    store = await opened()
    assert store.secret == secret
    assert len(secret) == 16
    assert await store.look([done.id]) == [done]
    assert await store.results([done.key]) == results
    assert await store.events([done.key]) == events
