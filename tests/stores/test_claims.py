"""Whose turn it is: each tenant's in turn, by priority, then by time, and never anybody's twice."""

import asyncio
from collections import Counter
from random import Random

from restante.core import change
from restante.core.clock import SECOND
from restante.core.model import Ration
from restante.core.status import Phase
from restante.ports import Store

from .conftest import Opener
from .samples import (
    LEASE,
    NOW,
    a_submission,
    accepted,
    applied,
    begin,
    claimed,
    complete,
    completed,
    delay,
    now_is,
)


async def test_the_claims_of_a_tenant_come_by_priority_then_by_time_then_by_key(store: Store) -> None:
    chance = Random(1)
    pending = [
        await accepted(store, priority=chance.choice([-5, 0, 0, 7]), due_at=NOW - chance.randrange(3))
        for _ in range(60)
    ]
    wanted = sorted(pending, key=lambda one: (-one.priority, one.due_at, one.key))
    taken = []
    while keys := await claimed(store, limit=7):
        taken += keys
    assert taken == [one.key for one in wanted]


async def shares(store: Store, limit: int) -> Counter[str]:
    """How many each tenant was given by a claim."""
    claims = await store.claim("default", limit, NOW)
    return Counter(claim.transaction.tenant for claim in claims)


async def test_a_claim_is_shared_over_the_tenants(store: Store) -> None:
    for tenant, count in (("a", 40), ("b", 20), ("c", 40), ("d", 1)):
        for number in range(count):
            await accepted(store, tenant=tenant, priority=number % 3 if tenant == "a" else 0)
    found = [await shares(store, 20) for _ in range(6)]
    assert [sum(one.values()) for one in found] == [20, 20, 20, 20, 20, 1]
    assert found[0]["d"] == 1
    for count in range(1, 4):  # while all three have something, none is ahead by more than a round
        given = [sum(one[tenant] for one in found[:count]) for tenant in "abc"]
        assert max(given) - min(given) <= 2 or given[1] == 20
    assert sum(found, Counter()) == {"a": 40, "b": 20, "c": 40, "d": 1}


async def test_a_tenant_is_given_no_more_than_brings_what_he_has_to_the_limit(store: Store) -> None:
    for tenant, count in (("a", 20), ("b", 20), ("c", 1), ("d", 20)):
        for number in range(count):
            await accepted(store, tenant=tenant, priority=number % 2)
    for has, wanted in (
        ({"a": 3, "b": 4, "elsewhere": 9}, {"a": 1, "c": 1, "d": 4}),  # who is full is passed over
        ({}, {"a": 4, "b": 4, "d": 4}),
        ({"a": 5}, {"b": 4, "d": 4}),
    ):
        claims = await store.claim("default", 30, NOW, ration=Ration(4, has))
        assert Counter(claim.transaction.tenant for claim in claims) == wanted
    claims = await store.claim("default", 6, NOW, ration=Ration(4, {}))
    assert max(Counter(claim.transaction.tenant for claim in claims).values()) <= 3  # shared, as ever
    assert len(claims) == 6


async def test_a_priority_does_not_reach_across_tenants(store: Store) -> None:
    for _ in range(50):
        await accepted(store, tenant="busy", priority=100)
    modest = await accepted(store, tenant="modest", priority=-100)
    assert modest.key in await claimed(store, limit=2)


async def test_tenants_for_whom_there_is_no_place_are_the_first_in_the_next_claim(store: Store) -> None:
    names = [f"t{number:02}" for number in range(20)]
    for tenant in names:
        for _ in range(2):
            await accepted(store, tenant=tenant)
    for _ in range(2):
        seen: list[str] = []
        for _ in range(5):
            found = await shares(store, 4)
            assert set(found.values()) == {1}
            seen += found
        assert sorted(seen) == names
    assert await shares(store, 4) == {}


async def test_what_tenants_have_that_is_not_due_takes_no_place(store: Store) -> None:
    for number in range(40):
        await accepted(store, tenant=f"later{number:02}", due_at=NOW + 1)
        await accepted(store, tenant=f"held{number:02}", claim=True)
    last = await accepted(store, tenant="z")
    first = await accepted(store, tenant="a")
    assert sorted(await claimed(store, limit=2)) == [last.key, first.key]
    assert await store.next_due("default", NOW) == NOW + 1


async def test_a_claim_that_is_not_full_has_left_nothing_that_is_due(store: Store) -> None:
    chance = Random(2)
    for number in range(300):
        tenant = f"t{min(chance.randrange(40), chance.randrange(40))}"
        await accepted(store, tenant=tenant, priority=chance.randrange(3), claim=not number % 5)
    taken: list[int] = []
    while len(keys := await claimed(store, limit=32)) == 32:
        taken += keys
    taken += keys
    assert len(taken) == len(set(taken)) == 240


async def test_a_tenant_with_a_long_queue_is_one_of_two(store: Store) -> None:
    """Not behind what another has queued, but within the next claim: the law of the whole thing."""
    for _ in range(50):
        await store.accept([await a_submission(store, tenant="busy") for _ in range(100)])
    assert await shares(store, 100) == {"busy": 100}
    single = await accepted(store, tenant="single")
    assert single.key in await claimed(store, limit=100)


async def test_what_is_claimed_is_not_claimed_again(store: Store) -> None:
    pending = [await accepted(store) for _ in range(10)]
    claims = await asyncio.gather(*[store.claim("default", 3, NOW) for _ in range(5)])
    keys = [claim.transaction.key for some in claims for claim in some]
    assert sorted(keys) == [one.key for one in pending]


async def test_what_is_released_is_claimed_again(store: Store) -> None:
    pending = await accepted(store)
    assert await claimed(store) == [pending.key]
    assert await claimed(store) == []
    await store.release([pending.key])
    assert await claimed(store) == [pending.key]


async def test_a_submission_that_is_taken_at_once_is_given_to_nobody_else(store: Store) -> None:
    taken = await accepted(store, claim=True)
    free = await accepted(store)
    assert await claimed(store) == [free.key]
    await store.release([taken.key])
    assert await claimed(store) == [taken.key]


async def test_a_claim_looks_past_any_number_of_held_ones(store: Store) -> None:
    for _ in range(400):
        await accepted(store, claim=True)
    free = await accepted(store)
    low = await accepted(store, priority=-1)
    assert await claimed(store, limit=2) == [free.key, low.key]


async def test_what_is_not_due_is_not_claimed(store: Store) -> None:
    await accepted(store, due_at=NOW + 1)
    due = await accepted(store, due_at=NOW)
    await completed(store)
    await accepted(store, upstream="another")
    assert await claimed(store) == [due.key]


async def test_small_requests_are_read_along(store: Store) -> None:
    small = await accepted(store, body=b"s" * 100)
    large = await accepted(store, body=b"l" * 60_000)
    claims = await store.claim("default", 10, NOW)
    requests = {claim.transaction.key: claim.request for claim in claims}
    assert requests[small.key] == (await store.requests([small.key]))[0]
    assert requests[large.key] in (None, (await store.requests([large.key]))[0])


async def test_a_claimed_one_in_phase_sending_has_lapsed(store: Store) -> None:
    begun = await applied(store, begin(await accepted(store)))
    assert await claimed(store, now=NOW + LEASE - 1) == []
    (claim,) = await store.claim("default", 10, NOW + LEASE)
    assert claim.transaction == begun
    assert claim.transaction.phase is Phase.SENDING


async def test_what_a_dead_process_was_sending_has_lapsed_at_once(opened: Opener) -> None:
    store = await opened()
    begun = await applied(store, begin(await accepted(store, claim=True)))
    waiting = await accepted(store, claim=True)
    store = await opened()
    claims = await store.claim("default", 10, NOW)
    assert [claim.transaction.key for claim in claims] == [begun.key, waiting.key]
    lapsed = claims[0].transaction
    assert (lapsed.sequence, lapsed.attempt, lapsed.phase) == (begun.sequence, 1, Phase.SENDING)
    await applied(store, delay(lapsed, until=NOW))


async def test_next_due_is_the_earliest_moment_to_come(store: Store) -> None:
    assert await store.next_due("default", NOW) is None
    for priority, span in ((0, 9), (5, 7), (-5, 5), (5, -3), (0, 0)):
        await accepted(store, priority=priority, due_at=NOW + span * SECOND)
    await accepted(store, upstream="another", due_at=NOW + SECOND)
    assert await store.next_due("default", NOW) == NOW + 5 * SECOND
    assert await store.next_due("default", NOW + 5 * SECOND) == NOW + 7 * SECOND
    assert await store.next_due("default", NOW + 9 * SECOND) is None
    assert await store.next_due("unknown", NOW) is None


async def test_a_lease_is_a_moment_to_come(store: Store) -> None:
    begun = await applied(store, begin(await accepted(store)))
    assert await store.next_due("default", NOW) == NOW + LEASE
    await applied(store, complete(begun))
    assert await store.next_due("default", NOW) is None


async def test_a_cancelled_one_is_not_claimed(store: Store) -> None:
    pending = await accepted(store)
    cancelled = change.cancel(pending, now=NOW)
    assert cancelled
    await applied(store, cancelled)
    assert await claimed(store) == []


async def test_a_claim_nobody_waits_for_any_more_is_given_back(store: Store) -> None:
    pending = await accepted(store)
    claim = asyncio.ensure_future(store.claim("default", 10, NOW))
    await asyncio.sleep(0)
    claim.cancel()
    await asyncio.gather(claim, return_exceptions=True)
    await store.next_due("default", NOW)  # answered after the claim
    assert await claimed(store) == [pending.key]
    assert await now_is(store, pending) == pending
