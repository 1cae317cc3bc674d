"""A change is applied where nobody was faster; row, events and result are one."""

import asyncio

import msgspec
import pytest

from restante.core import change
from restante.core.clock import SECOND
from restante.core.errors import MoveRefused, RestanteError
from restante.core.model import Body, Change, Event, Headers, Request, Result, Transaction
from restante.core.status import Outcome, Phase, Reading, Status
from restante.ports import EVENTS, Store

from .conftest import Opener
from .samples import (
    HEADERS,
    LEASE,
    NOW,
    accepted,
    applied,
    begin,
    claimed,
    complete,
    completed,
    delay,
    fail,
    many_events,
    now_is,
    read,
)


async def test_a_change_is_applied_only_where_nobody_was_faster(store: Store) -> None:
    pending = await accepted(store)
    first, second = begin(pending, now=NOW + 1), begin(pending, now=NOW + 2)
    assert await store.apply([first]) == [True]
    assert await store.apply([second]) == [False]
    assert await now_is(store, pending) == first.after
    (log,) = await store.events([pending.key])
    assert [event.sequence for event in log] == [1, 2]
    assert log[1] == first.events[0]


async def test_of_two_racing_changes_one_is_applied(store: Store) -> None:
    pending = [await accepted(store) for _ in range(30)]
    changes = [[begin(one, now=NOW + 1)] for one in pending] + [[begin(one, now=NOW + 2)] for one in pending]
    answers = await asyncio.gather(*[store.apply(one) for one in changes])
    assert answers == [[True]] * 30 + [[False]] * 30
    logs = await store.events([one.key for one in pending])
    assert {len(log) for log in logs} == {2}


async def test_a_lost_race_leaves_its_neighbours_alone(store: Store) -> None:
    one, two, three = [await accepted(store) for _ in range(3)]
    await applied(store, begin(two))
    assert await store.apply([begin(one), begin(two), begin(three)]) == [True, False, True]
    statuses = [found.status for found in await store.look([one.id, two.id, three.id]) if found]
    assert statuses == [Status.PROCESSING] * 3


async def test_changes_to_one_transaction_are_applied_in_the_order_they_came(store: Store) -> None:
    begun = begin(await accepted(store))
    delayed = delay(begun.after, until=NOW + SECOND)
    again = begin(delayed.after)
    done = complete(again.after)
    calls = [store.apply([one]) for one in (begun, delayed, again, done)]  # nobody waits in between
    assert await asyncio.gather(*calls) == [[True]] * 4
    assert await now_is(store, done.after) == done.after
    (log,) = await store.events([done.after.key])
    assert [event.sequence for event in log] == [1, 2, 3, 4, 5]
    assert await store.results([done.after.key]) == [done.result]


async def test_changes_in_the_wrong_order_are_refused_one_by_one(store: Store) -> None:
    begun = begin(await accepted(store))
    done = complete(begun.after)
    other = begin(await accepted(store))
    assert await store.apply([done, other, begun]) == [False, True, True]
    assert await now_is(store, begun.after) == begun.after
    assert await store.results([begun.after.key]) == [None]


async def test_a_chain_whose_first_link_lost_is_refused_whole(store: Store) -> None:
    pending = await accepted(store)
    cancelled = change.cancel(pending, now=NOW)
    assert cancelled
    await applied(store, cancelled)
    begun = begin(pending)
    assert await store.apply([begun, complete(begun.after)]) == [False, False]
    assert await now_is(store, pending) == cancelled.after
    assert await store.results([pending.key]) == [None]


async def test_a_worker_that_lost_its_lease_settles_nothing(store: Store) -> None:
    begun = await applied(store, begin(await accepted(store)))
    late = complete(begun)
    another = begin(await applied(store, delay(begun, until=NOW)))
    current = await applied(store, another)
    assert await store.apply([late]) == [False]
    # even if the number of the last event happened to fit
    forged = msgspec.structs.replace(late, before=msgspec.structs.replace(begun, sequence=current.sequence))
    assert await store.apply([forged]) == [False]
    assert await store.results([begun.key]) == [None]


async def test_an_end_keeps_the_answer_verbatim(store: Store) -> None:
    headers: Headers = ((b"Set-Cookie", b"a"), (b"set-cookie", b"b"), (b"X", b"\x80\xff"))
    for body in (b"", b"\x00\xff" * 5000):
        begun = await applied(store, begin(await accepted(store)))
        done = complete(begun, body=body)
        assert done.result
        result = msgspec.structs.replace(done.result, headers=headers)
        await applied(store, msgspec.structs.replace(done, result=result))
        assert await store.results([begun.key]) == [result]


async def test_an_events_status_is_its_rows(store: Store) -> None:
    for end in (complete, fail):
        transaction = await applied(store, begin(await accepted(store)))
        await applied(store, end(transaction))
        found = await now_is(store, transaction)
        (log,) = await store.events([transaction.key])
        assert found
        assert (log[-1].status, log[-1].sequence) == (found.status, found.sequence)


async def test_event_data_is_kept_and_its_absence_too(store: Store) -> None:
    begun = await applied(store, begin(await accepted(store)))
    data = {"é\x00": [1, None, {"a": 1.5}], "big": 2**60}
    end = complete(begun)
    event = msgspec.structs.replace(end.events[0], data=data)
    after: Event = msgspec.structs.replace(event, sequence=event.sequence + 1, data=None)
    await applied(store, msgspec.structs.replace(end, events=(event, after)))
    (log,) = await store.events([begun.key])
    assert log[2:] == [event, after]


async def test_events_of_many_come_back_with_their_own(store: Store) -> None:
    one, two = await completed(store), await accepted(store)
    logs = await store.events([two.key, one.key, 10**9, one.key])
    assert [len(log) for log in logs] == [1, 3, 0, 3]


async def test_events_are_read_from_any_sequence_on(store: Store) -> None:
    one, other = await many_events(store, 2500), await completed(store)
    (log,) = await store.events([one.key])
    assert [event.sequence for event in log] == list(range(1, EVENTS + 1))
    (log,) = await store.events([one.key], after=EVENTS)
    assert [event.sequence for event in log] == list(range(EVENTS + 1, 2 * EVENTS + 1))
    logs = await store.events([other.key, one.key, 10**9, one.key], after=2, limit=3)
    assert [[event.sequence for event in log] for log in logs] == [[3], [3, 4, 5], [], [3, 4, 5]]
    assert logs[1] is not logs[3]
    asked = [store.events([one.key], after=after, limit=1) for after in range(2490, 2510)]
    numbers = [[event.sequence for event in log] for (log,) in await asyncio.gather(*asked)]
    assert numbers == [[after + 1] for after in range(2490, 2500)] + [[]] * 10
    assert await store.events([one.key], after=10**18 - 1) == [[]]


async def test_what_is_finished_is_not_counted(opened: Opener) -> None:
    store = await opened()
    await completed(store)
    pending = await accepted(store)
    assert (store.queued, store.queued_of(pending.tenant)) == (1, 1)
    cancelled = change.cancel(pending, now=NOW)
    assert cancelled
    await applied(store, cancelled)
    for each in (store, await opened()):
        assert (each.queued, each.queued_of(pending.tenant)) == (0, 0)


async def test_sweep_at_moves_with_the_end(store: Store) -> None:
    pending = await accepted(store, sweep_at=NOW + 5, deadline=NOW + 5)
    expired = change.expire(pending, now=NOW + 5)
    await applied(store, expired)
    found = await now_is(store, pending)
    assert found == expired.after
    assert found.sweep_at == pending.expires_at
    assert found.outcome is Outcome.EXPIRED


async def test_a_change_that_cannot_be_written_fails_alone(store: Store) -> None:
    one, two = await accepted(store), await accepted(store)
    good, bad = begin(one), begin(two)
    twice = msgspec.structs.replace(bad, events=bad.events * 2)
    answers = await asyncio.gather(store.apply([good]), store.apply([twice]), return_exceptions=True)
    assert answers[0] == [True]
    assert isinstance(answers[1], RestanteError)
    assert await now_is(store, two) == two
    assert await applied(store, bad) == bad.after


async def offered(store: Store, *changes: Change) -> list[bool | BaseException]:
    """What each is told, of changes that are offered one after the other."""
    told: list[asyncio.Future[bool | BaseException]] = []
    for one in changes:
        told.append(asyncio.get_running_loop().create_future())
        store.offer_change(one, told[-1].set_result)
    return await asyncio.gather(*told)


async def test_changes_that_are_offered_together_are_told_apart(store: Store) -> None:
    one, two, three = [await accepted(store) for _ in range(3)]
    stale = begin(three)
    await applied(store, stale)
    bad = begin(two)
    twice = msgspec.structs.replace(bad, events=bad.events * 2)
    begun = begin(one)
    first, wrong, late, end = await offered(store, begun, twice, stale, complete(begun.after))
    assert (first, end) == (True, True)
    assert isinstance(wrong, RestanteError)
    assert late is False or isinstance(late, MoveRefused)
    assert await now_is(store, two) == two
    assert await offered(store, bad) == [True]


async def test_what_is_offered_and_what_is_awaited_keep_their_order(store: Store) -> None:
    begun = begin(await accepted(store))
    delayed = delay(begun.after, until=NOW + SECOND)
    again = begin(delayed.after)
    first, second = offered(store, begun), store.apply([delayed])
    ends = [asyncio.ensure_future(one) for one in (first, second, offered(store, again))]
    assert await asyncio.gather(*ends) == [[True], [True], [True]]


async def test_who_is_told_and_raises_keeps_nothing_from_others(store: Store) -> None:
    one, two = await accepted(store), await accepted(store)
    told = asyncio.get_running_loop().create_future()
    store.offer_change(begin(one), lambda answer: 1 // 0)
    store.offer_change(begin(two), told.set_result)
    assert await told is True


async def test_a_change_leaves_the_reading_alone(store: Store) -> None:
    begun = await applied(store, begin(await accepted(store)))
    await read(store, begun)
    await applied(store, complete(begun))
    found = await now_is(store, begun)
    assert found
    assert found.reading is Reading.READ


async def test_a_lease_is_renewed_only_while_it_is_sent(store: Store) -> None:
    sending: Transaction = await applied(store, begin(await accepted(store)))
    waiting = await accepted(store)
    done = await completed(store)
    await store.renew([sending.key, waiting.key, done.key], NOW + 2 * LEASE)
    found = await store.look([sending.id, waiting.id, done.id])
    assert [one.due_at for one in found if one] == [NOW + 2 * LEASE, NOW, None]
    assert found[0]
    assert found[0].sequence == sending.sequence  # no version: the worker's own change still fits
    await applied(store, complete(sending))


async def test_what_is_no_longer_being_sent_is_no_longer_held(store: Store) -> None:
    pending = await accepted(store)
    assert await claimed(store) == [pending.key]
    begun = await applied(store, begin(pending))
    assert begun.phase is Phase.SENDING
    assert await claimed(store, now=NOW + 2 * LEASE) == []  # held, however late
    await applied(store, delay(begun, until=NOW + SECOND))
    assert await claimed(store, now=NOW + SECOND) == [pending.key]


async def test_a_lost_change_leaves_the_hold_alone(store: Store) -> None:
    pending = await accepted(store)
    await store.claim("default", 1, NOW)
    stale = msgspec.structs.replace(begin(pending), before=msgspec.structs.replace(pending, sequence=9))
    assert await store.apply([stale]) == [False]
    assert await claimed(store) == []


async def test_a_result_is_one_of_its_attempt(store: Store) -> None:
    done = await completed(store)
    (result,) = await store.results([done.key])
    assert isinstance(result, Result)
    assert result.attempt == done.attempt == 1


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 200])
async def test_groups_of_every_size_are_whole(store: Store, count: int) -> None:
    pending = [await accepted(store) for _ in range(count)]
    begun = [begin(one) for one in pending]
    assert await store.apply(begun) == [True] * count
    ends = [complete(one.after, body=b"%d" % place) for place, one in enumerate(begun)]
    assert await store.apply(ends) == [True] * count
    results = await store.results([one.key for one in pending])
    assert [result.body.inline for result in results if result] == [b"%d" % place for place in range(count)]


async def test_what_is_kept_of_a_requests_fields_changes_in_the_same_commit(store: Store) -> None:
    one, other, late = [await applied(store, begin(await accepted(store))) for _ in range(3)]
    kept = Request(HEADERS[:1], Body(12, b'{"amount":1}'))
    end = msgspec.structs.replace(complete(one), request=kept)
    lost = msgspec.structs.replace(complete(msgspec.structs.replace(late, sequence=7)), request=kept)
    answers = await asyncio.gather(store.apply([end]), store.apply([complete(other)]), store.apply([lost]))
    assert answers == [[True], [True], [False]]
    after, same, untouched = await store.requests([one.key, other.key, late.key])
    assert after == kept
    assert same == untouched == Request(HEADERS, Body(12, b'{"amount":1}'))


async def test_changes_that_become_one_keep_the_last_fields(store: Store) -> None:
    pending = await accepted(store, claim=True)
    begun = begin(pending)
    kept = Request(HEADERS[:2], Body(12, b'{"amount":1}'))
    end = msgspec.structs.replace(complete(begun.after), request=kept)
    assert await asyncio.gather(store.apply([begun]), store.apply([end])) == [[True], [True]]
    assert await store.requests([pending.key]) == [kept]
