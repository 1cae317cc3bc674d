"""Figures: each entry of the feed counts once, in its minute and hour, for its tenant and for all."""

import msgspec

from restante.core import change
from restante.core.clock import HOUR, MINUTE, SECOND
from restante.core.errors import KeyReused
from restante.core.figures import HOURS, LAST_STEP, MINUTES, Counted, quantile, step_of
from restante.core.identity import RANDOM_BYTES, mint
from restante.core.model import Body, Result, Transaction
from restante.core.status import Outcome
from restante.ports import Store

from .samples import (
    NOW,
    a_submission,
    accepted,
    applied,
    begin,
    complete,
    completed,
    delay,
    fail,
    many_events,
)

FIRST = NOW // MINUTE


async def with_a_code(store: Store, number: int, **fields: str) -> Transaction:
    """One whose id begins as no other does."""
    made = await a_submission(store, **fields)
    chance = bytes([number] * RANDOM_BYTES)
    transaction = msgspec.structs.replace(
        made.transaction, id=mint(made.transaction.key, chance, store.secret)
    )
    (answer,) = await store.accept([msgspec.structs.replace(made, transaction=transaction)])
    assert not isinstance(answer, KeyReused)
    return answer.transaction


async def all_counted(store: Store, limit: int = 100) -> int:
    total = 0
    while count := await store.count_figures(limit):
        total += count
    return total


async def sums(
    store: Store, tenant: str = "default", minutes: int = MINUTES, places: int = 60
) -> dict[int, int]:
    """By kind, over all places and upstreams."""
    first = FIRST - FIRST % minutes
    found: dict[int, int] = {}
    for one in await store.figures(tenant, minutes=minutes, first=first, places=places, width=minutes):
        found[one.what] = found.get(one.what, 0) + one.count
    return found


async def test_each_entry_is_counted_once(store: Store) -> None:
    await completed(store)
    begun = await applied(store, begin(await accepted(store), now=NOW + SECOND))
    await applied(store, fail(begun, now=NOW + 3 * SECOND))
    await applied(store, change.cancel(await accepted(store), now=NOW))  # type: ignore[arg-type]
    assert await all_counted(store, 2) > 0
    once = await sums(store)
    assert await all_counted(store) == 0
    assert await sums(store) == once
    assert {kind: once.get(kind, 0) for kind in Counted if kind < Counted.TOOK} == {
        Counted.ACCEPTED: 3,
        Counted.COMPLETED: 1,
        Counted.FAILED: 1,
        Counted.CANCELLED: 1,
        Counted.DELAYED: 0,
        Counted.ILL: 1,
        Counted.UNREACHED: 0,
    }
    assert once[Counted.TOOK + step_of(3 * SECOND)] == 1
    assert once[Counted.WAITED + step_of(SECOND)] == 1
    assert sum(count for what, count in once.items() if what >= Counted.WAITED) == 2


async def test_an_answer_of_4xx_is_no_ill_health(store: Store) -> None:
    async def ends(outcome: Outcome, code: int | None = None) -> None:
        begun = await applied(store, begin(await accepted(store)))
        result = None if code is None else Result(code, (), Body(0, b""), 1)
        await applied(store, change.fail(begun, attempt=1, now=NOW, outcome=outcome, data={}, result=result))

    for code in (404, 422, 429, 503):
        await ends(Outcome.ANSWERED, code)
    for outcome in (Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.INTERRUPTED):
        await ends(outcome)
    await all_counted(store)
    once = await sums(store)
    assert (once[Counted.FAILED], once[Counted.ILL], once[Counted.UNREACHED]) == (7, 4, 1)


async def test_figures_are_of_a_tenant_and_of_all(store: Store) -> None:
    await completed(store, tenant="a")
    await completed(store, tenant="b", upstream="other")
    await all_counted(store)
    assert (await sums(store, "a"))[Counted.COMPLETED] == 1
    assert (await sums(store, "*"))[Counted.COMPLETED] == 2
    assert await sums(store, "nobody") == {}
    upstreams = {one.upstream for one in await store.figures("*", minutes=1, first=FIRST, places=1, width=1)}
    assert upstreams == {"default", "other"}
    assert await store.counted_tenants(first=FIRST - 60, limit=10) == [("a", 1), ("b", 1)]
    assert await store.counted_tenants(first=FIRST - 60, limit=1) == [("a", 1)]


async def test_stretches_are_summed(store: Store) -> None:
    begun = await applied(store, begin(await accepted(store)))
    await applied(store, complete(begun, now=NOW + 7 * MINUTE))
    await all_counted(store)
    found = await store.figures("default", minutes=MINUTES, first=FIRST, places=4, width=5)
    assert [(one.place, one.count) for one in found if one.what == Counted.ACCEPTED] == [(0, 1)]
    assert [(one.place, one.count) for one in found if one.what == Counted.COMPLETED] == [(1, 1)]
    assert await store.figures("default", minutes=MINUTES, first=FIRST + 8, places=4, width=5) == []
    assert (await sums(store, minutes=HOURS))[Counted.COMPLETED] == 1


async def test_what_was_not_begun_is_pending_and_not_counted_yet(store: Store) -> None:
    await accepted(store, created_at=NOW)
    await accepted(store, created_at=NOW + 3 * MINUTE, tenant="other")
    begun = await applied(store, begin(await accepted(store, created_at=NOW + MINUTE)))
    assert await store.pending_figures("default", first=FIRST, width=2) == {0: 1}
    assert await store.pending_figures("*", first=FIRST, width=2) == {0: 1, 1: 1}
    assert await store.pending_figures("default", first=FIRST + 1, width=2) == {}
    await all_counted(store)
    assert (await sums(store))[Counted.ACCEPTED] == 1
    await applied(store, delay(begun, until=NOW + HOUR))
    await all_counted(store)
    assert (await sums(store))[Counted.DELAYED] == 1


async def test_a_note_behind_the_end_counts_nothing(store: Store) -> None:
    done = await completed(store)
    await applied(store, change.note(done, now=NOW, message="by hand", data={}))
    await all_counted(store)
    assert (await sums(store))[Counted.COMPLETED] == 1


async def test_progress_counts_nothing(store: Store) -> None:
    await many_events(store, 5)
    await all_counted(store)
    found = await sums(store)
    assert {what for what in found if what < Counted.TOOK} == {Counted.ACCEPTED}


async def test_old_figures_go(store: Store) -> None:
    await completed(store)
    await all_counted(store)
    assert await store.sweep_figures(minutes=FIRST, hours=0, limit=100) == 0
    assert await store.sweep_figures(minutes=FIRST + 1, hours=0, limit=2) == 2
    while await store.sweep_figures(minutes=FIRST + 1, hours=0, limit=2):
        pass
    assert await sums(store) == {}
    assert (await sums(store, minutes=HOURS))[Counted.COMPLETED] == 1


async def test_who_stands_before_one_is_counted(store: Store) -> None:
    line = [await accepted(store, due_at=NOW + place) for place in range(3)]
    urgent = await accepted(store, priority=9, due_at=NOW + 9)
    await accepted(store, tenant="other")
    await accepted(store, upstream="another")

    async def ahead(transaction: Transaction, limit: int = 100) -> tuple[int, int]:
        standing = await store.standing(transaction, limit=limit)
        return standing.ahead, standing.tenants

    assert [await ahead(one) for one in (*line, urgent)] == [(1, 2), (2, 2), (3, 2), (0, 2)]
    assert await ahead(line[2], limit=2) == (2, 2)


async def test_a_code_is_looked_for_a_stretch_at_a_time(store: Store) -> None:
    some = [
        await with_a_code(store, place, tenant="other" if place == 4 else "default") for place in range(9)
    ]
    sought = some[2]
    found, _ = await store.with_code("default", sought.id[:8], before=None, limit=100)
    assert [one.id for one in found] == [sought.id]
    assert (await store.with_code("default", some[4].id[:8], before=None, limit=100))[0] == []
    assert [one.id for one in (await store.with_code("*", some[4].id[:8], before=None, limit=100))[0]] == [
        some[4].id
    ]
    latest, _ = await store.with_code("*", "", before=None, limit=100)
    assert [one.id for one in latest] == [one.id for one in reversed(some)]
    seen: list[str] = []
    before: int | None = None
    for _ in range(20):
        found, before = await store.with_code("default", sought.id[:8], before=before, limit=2)
        seen += [one.id for one in found]
        if before is None:
            break
    assert before is None
    assert seen == [sought.id]


async def test_what_was_sent_of_a_transaction_is_found(store: Store) -> None:
    one = await accepted(store)
    assert await store.deliveries_about(one.key, 10) == []


def test_percentiles_are_told_from_steps() -> None:
    assert quantile({}, 0.5) is None
    for span in (1_000, 5_000, 80_000, 3_000_000, 40_000_000):
        told = quantile({step_of(span): 10}, 0.99)
        assert told is not None
        assert 0.8 * span <= told <= 1.2 * span
    assert (step_of(-5), step_of(1), step_of(1 << 60)) == (0, 0, LAST_STEP)
    both = {step_of(10_000): 90, step_of(1_000_000): 10}
    assert (quantile(both, 0.5) or 0) < 12_000 < (quantile(both, 0.95) or 0)
