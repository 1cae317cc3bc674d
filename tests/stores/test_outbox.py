"""Webhooks in a store: deliveries come with the commit they tell of, are lent out, and settled by their
number."""

import asyncio
import itertools
from typing import Any

import msgspec
import pytest

from restante.core import change, delivery
from restante.core.clock import DAY, MINUTE, SECOND
from restante.core.delivery import Attempt, Delivery, Sought, State
from restante.core.endpoint import Endpoint, Filters, callbacks_id, site_of
from restante.core.errors import BadRequest, KeyReused, MoveRefused, RestanteError
from restante.core.model import Change, Transaction
from restante.core.outbox import deliveries_of, of_event
from restante.core.status import Status
from restante.ports import Store
from restante.stores import cursors

from .conftest import Opener
from .samples import NOW, a_submission, accepted, applied, begin, complete, completed, fail

LEASE = 30 * SECOND
_NUMBERS = itertools.count(1)


def mint() -> str:
    return f"{next(_NUMBERS):032x}"


def an_endpoint(id: str = "ep_1", *, tenant: str = "default", **fields: Any) -> Endpoint:
    base = Endpoint(
        id=id, tenant=tenant, url="https://a.example/", created_at=NOW, updated_at=NOW, secrets=("whsec_a",)
    )
    return msgspec.structs.replace(base, **fields)


def telling(what: Change, *endpoints: Endpoint, now: int = NOW) -> Change:
    """The change with what it makes for these endpoints."""
    made = deliveries_of(what, endpoints, mint=mint, now=now)
    return msgspec.structs.replace(what, deliveries=made)


async def told(store: Store, *endpoints: Endpoint, **fields: Any) -> tuple[Transaction, list[Delivery]]:
    """A completed transaction, and the deliveries that tell of its end."""
    begun = await applied(store, begin(await accepted(store, **fields)))
    end = telling(complete(begun), *endpoints)
    await applied(store, end)
    found = await store.look_deliveries([one.id for one in end.deliveries])
    return end.after, [one for one in found if one is not None]


def an_attempt(number: int = 1, **fields: Any) -> Attempt:
    base = Attempt(number=number, at=NOW, duration=1000, carried="answered", reason="answered 200", code=200)
    return msgspec.structs.replace(base, **fields)


# -- endpoints


async def test_an_endpoint_is_kept_as_it_is(opened: Opener) -> None:
    store = await opened()
    one = an_endpoint(filters=Filters(status=(Status.FAILED,), trigger_endpoint=("a/*",)), retire_at=NOW)
    two = an_endpoint("ep_2", tenant="other")
    assert await store.keep_endpoint(one, most=1)
    assert await store.keep_endpoint(two, most=1)
    store = await opened()
    assert await store.endpoints() == [one, two]


async def test_an_endpoint_is_changed_only_where_nobody_was_faster(store: Store) -> None:
    one = an_endpoint()
    assert await store.keep_endpoint(one, most=9)
    second = msgspec.structs.replace(one, version=2, active=False)
    assert await store.keep_endpoint(second, most=9)
    assert not await store.keep_endpoint(msgspec.structs.replace(one, version=2), most=9)
    assert not await store.keep_endpoint(one, most=9)
    assert not await store.drop_endpoint(one)
    assert await store.endpoints() == [second]
    assert await store.drop_endpoint(second)
    assert not await store.keep_endpoint(msgspec.structs.replace(one, version=3), most=9)
    assert await store.endpoints() == []


async def test_a_tenant_has_so_many_endpoints_at_most(store: Store) -> None:
    answers = await asyncio.gather(*[store.keep_endpoint(an_endpoint(f"ep_{n}"), most=3) for n in range(6)])
    assert sorted(answers) == [False] * 3 + [True] * 3
    assert await store.keep_endpoint(an_endpoint("ep_9", tenant="other"), most=3)


# -- the outbox


async def test_a_change_and_its_deliveries_are_one_commit(store: Store) -> None:
    end, (one,) = await told(store, an_endpoint())
    assert (one.state, one.attempt, one.transaction, one.sequence) == (State.WAITING, 0, end.id, 3)
    assert one.number > 0


async def test_a_change_that_lost_its_race_makes_no_delivery(store: Store) -> None:
    begun = await applied(store, begin(await accepted(store)))
    first, second = telling(complete(begun), an_endpoint()), telling(fail(begun), an_endpoint())
    assert await store.apply([first]) == [True]
    assert await store.apply([second]) == [False]
    assert await store.look_deliveries([second.deliveries[0].id]) == [None]
    assert await store.lanes(after="", limit=10) == {"ep_1": NOW}


async def test_a_chain_of_changes_makes_the_deliveries_of_all_of_them(store: Store) -> None:
    every = an_endpoint(filters=Filters(status=tuple(Status)))
    begun = telling(begin(await accepted(store)), every)
    end = telling(complete(begun.after), every)
    assert await asyncio.gather(store.apply([begun]), store.apply([end])) == [[True], [True]]
    taken = await store.take({"ep_1": 9}, NOW, NOW + LEASE)
    assert [one.delivery.sequence for one in taken] == [2, 3]


async def test_an_accept_and_its_deliveries_are_one_commit(store: Store) -> None:
    every = an_endpoint(filters=Filters(status=tuple(Status)))
    fresh = await a_submission(store, key=b"k")
    made = of_event(fresh.event, fresh.transaction, [every], mint=mint, now=NOW)
    assert await store.accept([msgspec.structs.replace(fresh, deliveries=tuple(made))])
    again = await a_submission(store, key=b"k")
    more = of_event(again.event, again.transaction, [every], mint=mint, now=NOW)
    (replay,) = await store.accept([msgspec.structs.replace(again, deliveries=tuple(more))])
    assert not isinstance(replay, KeyReused)
    assert replay.replayed
    assert await store.look_deliveries([more[0].id]) == [None]
    (errand,) = await store.take({"ep_1": 9}, NOW, NOW + LEASE)
    assert errand.delivery.id == made[0].id
    assert (errand.transaction, errand.event, errand.previous) == (fresh.transaction, fresh.event, None)


async def test_callbacks_are_kept_with_their_transaction(store: Store) -> None:
    urls = ("https://b.example/x?y", "https://c.example/")
    end, made = await told(store, callbacks=urls)
    assert (await store.look([end.id]))[0] == end
    assert end.callbacks == urls
    assert [(one.endpoint, one.url) for one in made] == [(callbacks_id("default"), url) for url in urls]
    (first, second) = [site_of(one.lane) for one in made]
    assert (first, second) == tuple(f"{made[0].endpoint} {url[:17]}" for url in urls)
    assert {one.delivery.id for one in await store.take({made[0].lane: 9}, NOW, NOW + LEASE)} == {made[0].id}


async def test_deliveries_of_a_bad_change_are_not_written(store: Store) -> None:
    begun = await applied(store, begin(await accepted(store)))
    end = telling(complete(begun), an_endpoint())
    bad = msgspec.structs.replace(end, events=end.events * 2)
    with pytest.raises(RestanteError):
        await store.apply([bad])
    assert await store.lanes(after="", limit=10) == {}


# -- taking and settling


async def test_what_is_due_is_taken_once_until_its_lease_ends(store: Store) -> None:
    end, (one,) = await told(store, an_endpoint())
    assert await store.take({"ep_1": 9}, NOW - 1, NOW + LEASE) == []
    (errand,) = await store.take({"ep_1": 9}, NOW, NOW + LEASE)
    assert errand.delivery == delivery.send(one, until=NOW + LEASE)
    assert errand.transaction == end
    assert errand.event is not None
    assert (errand.event.sequence, errand.event.status) == (3, Status.COMPLETED)
    assert await store.take({"ep_1": 9}, NOW + LEASE - 1, NOW + 2 * LEASE) == []
    assert await store.next_deliveries(["ep_1", "none"]) == {"ep_1": NOW + LEASE}
    (again,) = await store.take({"ep_1": 9}, NOW + LEASE, NOW + 2 * LEASE)
    assert again.delivery.attempt == 2


async def test_what_was_taken_in_vain_is_given_back(store: Store) -> None:
    for _ in range(2):
        await told(store, an_endpoint(), an_endpoint("ep_2"))
    for until in (NOW + LEASE, NOW + LEASE + 1):
        assert len(await store.take({"ep_1": 1}, NOW, until)) == 1
    assert len(await store.take({"ep_2": 1}, NOW, NOW + LEASE)) == 1
    await store.give_back(["ep_1", "none"], until=NOW + LEASE, now=NOW + 5)
    assert await store.take({"ep_1": 9}, NOW + 4, NOW + 2 * LEASE) == []
    (errand,) = await store.take({"ep_1": 9}, NOW + 5, NOW + 2 * LEASE)
    assert errand.delivery.attempt == 2


async def test_of_each_lane_no_more_is_taken_than_was_asked_for(store: Store) -> None:
    for _ in range(4):
        await told(store, an_endpoint(), an_endpoint("ep_2"), an_endpoint("ep_3"))
    taken = await store.take({"ep_1": 1, "ep_2": 3, "nobody": 5}, NOW, NOW + LEASE)
    lanes = [errand.delivery.lane for errand in taken]
    assert sorted(lanes) == ["ep_1", "ep_2", "ep_2", "ep_2"]
    assert await store.lanes(after="", limit=10) == {"ep_1": NOW, "ep_2": NOW, "ep_3": NOW}
    assert await store.lanes(after="", limit=2) == {"ep_1": NOW, "ep_2": NOW}
    assert await store.lanes(after="ep_2", limit=2) == {"ep_3": NOW}


async def test_who_takes_at_the_same_time_takes_different_ones(store: Store) -> None:
    for _ in range(20):
        await told(store, an_endpoint())
    batches = await asyncio.gather(*[store.take({"ep_1": 5}, NOW, NOW + LEASE) for _ in range(8)])
    numbers = [errand.delivery.number for batch in batches for errand in batch]
    assert len(numbers) == len(set(numbers)) == 20


async def test_only_the_latest_attempt_settles(store: Store) -> None:
    await told(store, an_endpoint())
    (first,) = await store.take({"ep_1": 1}, NOW, NOW + LEASE)
    (second,) = await store.take({"ep_1": 1}, NOW + LEASE, NOW + 2 * LEASE)
    late = delivery.arrive(first.delivery, an_attempt())
    assert await store.settle([late]) == [False]
    assert await store.attempts([first.delivery.number]) == [[]]
    done = delivery.arrive(second.delivery, an_attempt(2, answer=b"\x00ok"))
    assert await store.settle([done, done]) == [True, False]
    (found,) = await store.look_deliveries([second.delivery.id])
    assert found == done.after
    assert await store.attempts([found.number, 10**9]) == [[done.attempt], []]
    assert await store.lanes(after="", limit=10) == {}


async def test_what_was_missed_is_due_again_and_what_is_over_can_be_replayed(store: Store) -> None:
    await told(store, an_endpoint())
    (errand,) = await store.take({"ep_1": 1}, NOW, NOW + LEASE)
    missed = delivery.miss(errand.delivery, an_attempt(code=503), schedule=(0, MINUTE), chance=0)
    assert await store.settle([missed]) == [True]
    assert missed.after.due_at == NOW + 1000 + MINUTE
    assert await store.next_deliveries(["ep_1"]) == {"ep_1": missed.after.due_at}
    (errand,) = await store.take({"ep_1": 1}, missed.after.due_at, NOW + DAY)
    dead = delivery.miss(errand.delivery, an_attempt(2, code=503), schedule=(0, MINUTE), chance=0)
    assert await store.settle([dead]) == [True]
    assert dead.after.state is State.DEAD
    again = delivery.replay(dead.after, now=NOW + DAY)
    assert await store.settle([again]) == [True]
    (errand,) = await store.take({"ep_1": 1}, NOW + DAY, NOW + 2 * DAY)
    assert (errand.delivery.id, errand.delivery.attempt, errand.delivery.tried) == (dead.before.id, 3, 0)
    with pytest.raises(MoveRefused):
        delivery.replay(errand.delivery, now=NOW)


async def test_a_payload_knows_what_its_endpoint_was_told_before(store: Store) -> None:
    some = an_endpoint(filters=Filters(status=(Status.PROCESSING, Status.COMPLETED)))
    other = an_endpoint("ep_2")
    begun = telling(begin(await accepted(store)), some, other)
    more = telling(change.inform(begun.after, now=NOW, message="x", data={}), other)
    end = telling(complete(more.after), some, other)
    await applied(store, begun, more, end)
    taken = await store.take({"ep_1": 9, "ep_2": 9}, NOW, NOW + LEASE)
    told = sorted((one.delivery.lane, one.delivery.sequence, one.previous) for one in taken)
    assert told == [("ep_1", 2, None), ("ep_1", 4, 2), ("ep_2", 4, None)]


async def test_a_delivery_of_its_own_is_kept_with_its_body(store: Store) -> None:
    own = Delivery(
        id=mint(), tenant="t", endpoint="ep_1", lane="ep_1", body=b'{"a":1}', due_at=NOW, created_at=NOW
    )
    await store.post([own])
    (errand,) = await store.take({"ep_1": 1}, NOW, NOW + LEASE)
    assert errand.transaction is None
    assert errand.delivery.body == b'{"a":1}'
    (found,) = await store.look_deliveries([own.id])
    assert found is not None
    assert found.transaction is None


# -- lists, and what goes


async def test_deliveries_are_listed_the_newest_first_in_pages(store: Store) -> None:
    ids = []
    for number in range(7):
        begun = await applied(store, begin(await accepted(store)))
        end = telling(complete(begun), an_endpoint(), an_endpoint("ep_2"), now=NOW + number // 2)
        await applied(store, end)
        ids.append(end.deliveries[0].id)
    (first,) = await store.take({"ep_1": 1}, NOW, NOW + LEASE)
    await store.settle([delivery.arrive(first.delivery, an_attempt())])
    everything = Sought(endpoint="ep_1", limit=3)
    pages: list[str] = []
    while found := await store.deliveries(everything):
        pages += [one.id for one in found]
        everything = msgspec.structs.replace(everything, after=found[-1].id)
    assert pages == ids[::-1]
    (done,) = await store.deliveries(Sought(endpoint="ep_1", state=State.DELIVERED))
    assert done.id == first.delivery.id
    some = await store.deliveries(Sought(endpoint="ep_1", created_from=NOW + 1, created_to=NOW + 2))
    assert [one.id for one in some] == ids[2:6][::-1]
    (other,) = await store.deliveries(Sought(endpoint="ep_2", limit=1))
    for wrong in ("f" * 32, "", "x", "é" * 40, other.id):
        with pytest.raises(BadRequest) as caught:
            await store.deliveries(Sought(endpoint="ep_1", after=wrong))
        assert caught.value.field == "after"
    assert await store.look_deliveries(["", "x" * 32, "é", ids[0][1:]]) == [None] * 4


async def test_old_deliveries_and_their_attempts_go_but_not_what_is_still_sent(store: Store) -> None:
    for _ in range(3):
        await told(store, an_endpoint())
    one, two, _ = await store.take({"ep_1": 3}, NOW, NOW + LEASE)
    await store.settle(
        [
            delivery.arrive(one.delivery, an_attempt()),
            delivery.miss(two.delivery, an_attempt(code=500), schedule=(0, DAY), chance=0),
        ]
    )
    assert await store.sweep_outbox(deliveries=NOW, feed=0, limit=10) == 0
    assert await store.sweep_outbox(deliveries=NOW + 1, feed=0, limit=10) == 1
    assert await store.attempts([one.delivery.number]) == [[]]
    assert await store.sweep_outbox(deliveries=NOW + LEASE + 1, feed=0, limit=10) == 1
    assert await store.sweep_outbox(deliveries=NOW + 2 * DAY, feed=0, limit=10) == 1
    assert await store.lanes(after="", limit=10) == {}


async def test_what_is_forgotten_takes_its_deliveries_along(store: Store) -> None:
    gone, (one,) = await told(store, an_endpoint())
    _, (kept,) = await told(store, an_endpoint())
    await store.purge([], [gone])
    assert await store.look_deliveries([one.id, kept.id]) == [None, kept]
    assert len(await store.take({"ep_1": 9}, NOW, NOW + LEASE)) == 1


# -- the feed


async def test_the_feed_is_what_was_committed_in_its_order(store: Store) -> None:
    one, two = await accepted(store), await accepted(store)
    assert await store.feed("default", None, 10) == []
    begun_two, begun_one = await applied(store, begin(two)), await applied(store, begin(one))
    await applied(store, complete(begun_one))
    await applied(store, fail(begun_two))
    found = await store.feed("default", None, 10)
    assert [(entry.id, entry.behind, entry.last) for entry in found] == [
        (two.id, 0, 2),
        (one.id, 0, 2),
        (one.id, 2, 3),
        (two.id, 2, 3),
    ]
    assert found[0].key == two.key
    assert await store.feed("default", found[1].cursor, 1) == found[2:3]
    assert await store.feed("default", found[-1].cursor, 10) == []
    assert await store.feed("other", None, 10) == []


async def test_a_cursor_is_one_of_the_stores_own(store: Store) -> None:
    for wrong in ("", "x", "-1", "9" * 40, "0.0.0.0", "٣"):
        with pytest.raises(BadRequest):
            await store.feed("default", wrong, 10)
    await applied(store, begin(await accepted(store)))
    (entry,) = await store.feed("default", None, 10)
    assert await store.feed("default", entry.cursor, 10) == []
    commit, number = cursors.place_of(store.secret, "default", entry.cursor)
    ahead = cursors.spell(store.secret, "default", (commit + 10**9 if commit else 0, number + 10**9))
    with pytest.raises(BadRequest):  # nothing has been there yet, so something would be passed over
        await store.feed("default", ahead, 10)


async def test_a_cursor_tells_nothing_and_is_taken_from_its_own_tenant_only(store: Store) -> None:
    for tenant in ("one", "two", "one"):
        await applied(store, begin(await accepted(store, tenant=tenant)))
    mine, other = await store.feed("one", None, 10)
    (theirs,) = await store.feed("two", None, 10)
    assert len({one.cursor for one in (mine, other, theirs)}) == 3
    assert await store.feed("one", mine.cursor, 10) == [other]
    assert sum(a == b for a, b in zip(mine.cursor, other.cursor, strict=True)) < 16  # no common beginning
    plain = [str(number) for number in (0, 1, 2, 3, 999_999)]
    changed = [
        mine.cursor[:k] + ("1" if mine.cursor[k] == "0" else "0") + mine.cursor[k + 1 :] for k in (0, 47)
    ]
    for wrong in [theirs.cursor, mine.cursor.upper() + "A", *plain, *changed, f"{mine.cursor} "]:
        with pytest.raises(BadRequest):
            await store.feed("one", wrong, 10)


async def test_no_entry_is_passed_over_whoever_commits_when(store: Store) -> None:
    pending = [await accepted(store) for _ in range(40)]
    seen: list[str] = []

    async def follow() -> None:
        cursor = None
        while len(seen) < 40:
            for entry in await store.feed("default", cursor, 7):
                seen.append(entry.id)
                cursor = entry.cursor

    following = asyncio.create_task(follow())
    await asyncio.gather(*[store.apply([begin(one)]) for one in pending])
    async with asyncio.timeout(20):
        await following
    assert sorted(seen) == sorted(one.id for one in pending)


async def test_old_entries_go_and_the_cursor_goes_on(store: Store) -> None:
    for _ in range(3):
        await completed(store)
    found = await store.feed("default", None, 10)
    assert await store.sweep_outbox(deliveries=0, feed=NOW + 1, limit=2) == 2
    while await store.sweep_outbox(deliveries=0, feed=NOW + 1, limit=2):
        pass
    left = await store.feed("default", None, 10)
    assert left in ([], found[-1:])
    await completed(store)
    assert len(await store.feed("default", found[-1].cursor, 10)) == 2
