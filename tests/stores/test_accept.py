"""What is accepted is there, whole, and only if the call returned."""

import asyncio

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restante.core.clock import DAY
from restante.core.errors import RestanteError, StoreUnavailable
from restante.core.model import Accepted, Body, Request
from restante.core.status import Dialect, Outcome, Phase, Reading, Status
from restante.ports import Store

from .conftest import Opener
from .samples import HEADERS, NOW, a_key, a_submission, accepted, now_is


async def test_an_accepted_transaction_is_found_as_it_was_submitted(store: Store) -> None:
    submission = await a_submission(
        store, tracking_id="é-1", query="a=%20b", priority=-3, dialect=Dialect.TRANSACTION, tenant="shop"
    )
    await store.accept([submission])
    transaction = submission.transaction
    assert await store.look([transaction.id]) == [transaction]
    assert await store.requests([transaction.key]) == [submission.request]
    assert await store.events([transaction.key]) == [[submission.event]]
    assert await store.results([transaction.key]) == [None]


async def test_unlike_submissions_of_one_call_keep_their_own_fields(store: Store) -> None:
    submissions = [
        await a_submission(
            store,
            tenant=tenant,
            path=path,
            priority=priority,
            created_at=NOW + priority,
            due_at=NOW + due_in,
            callbacks=(f"https://shop.example{path}",) * priority,
        )
        for priority, (tenant, path, due_in) in enumerate(
            [
                ("a", "/one", 0),
                ("b\0", "/one", 0),
                ("a", "/two", 0),
                ("a", "/one", DAY // 2),
                ("a", "/one", 3),
            ]
        )
    ]
    assert await store.accept(submissions) == [Accepted(one.transaction) for one in submissions]
    for one in submissions:
        assert await now_is(store, one.transaction) == one.transaction
        assert await store.events([one.transaction.key]) == [[one.event]]


TEXT = st.text(st.characters(max_codepoint=255), max_size=40)
MOMENT = st.integers(0, 2**62)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_every_field_survives(opened: Opener, data: st.DataObject) -> None:
    fields = data.draw(
        st.fixed_dictionaries(
            {
                "tenant": TEXT,
                "path": TEXT,
                "query": TEXT,
                "method": TEXT,
                "operation": TEXT,
                "upstream": TEXT,
                "tracking_id": st.none() | st.text(max_size=40),
                "created_at": MOMENT,
                "updated_at": MOMENT,
                "deadline": MOMENT,
                "expires_at": MOMENT,
                "sweep_at": MOMENT,
                "due_at": st.none() | MOMENT,
                "priority": st.integers(-100, 100),
                "status": st.sampled_from(Status),
                "outcome": st.none() | st.sampled_from(Outcome),
                "phase": st.sampled_from(Phase),
                "dialect": st.sampled_from(Dialect),
                "reading": st.sampled_from(Reading),
                "attempt": st.integers(0, 1000),
                "doubtful": st.integers(0, 1000),
                "sequence": st.integers(1, 1000),
                "result_status": st.none() | st.integers(100, 999),
            }
        )
    )
    headers = data.draw(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=5))
    body = data.draw(st.binary(max_size=200))
    store = _STORES.get(id(opened)) or await opened()
    _STORES[id(opened)] = store
    submission = await a_submission(store, **fields)
    request = Request(tuple(headers), Body(len(body), body))
    await store.accept([msgspec.structs.replace(submission, request=request)])
    key = submission.transaction.key
    assert await now_is(store, submission.transaction) == submission.transaction
    assert await store.requests([key]) == [request]


_STORES: dict[int, Store] = {}


async def test_many_are_accepted_in_one_call_and_answered_in_order(store: Store) -> None:
    submissions = [await a_submission(store) for _ in range(150)]
    answers = await store.accept(submissions)
    transactions = [submission.transaction for submission in submissions]
    assert [answer.transaction for answer in answers] == transactions  # type: ignore[union-attr]
    assert await store.look([transaction.id for transaction in transactions]) == transactions


async def test_nothing_is_accepted_of_an_empty_call(store: Store) -> None:
    assert await store.accept([]) == []
    assert await store.apply([]) == []
    assert await store.look([]) == []
    assert await store.events([]) == []


async def test_unknown_and_malformed_ids_are_not_found(store: Store) -> None:
    known = await accepted(store)
    other = await a_submission(store)
    ids = [
        "",
        "x",
        known.id.upper(),
        known.id + "0",
        "\x00" * 36,
        "é" * 36,
        other.transaction.id,
        known.id[:-1] + "x",
    ]
    ids += ["0" * 100_000, known.id[:-1] + ("1" if known.id[-1] == "0" else "0")]
    assert await store.look([*ids, known.id]) == [None] * len(ids) + [known]


async def test_one_bad_submission_does_not_fail_its_neighbours(store: Store) -> None:
    first = await a_submission(store)
    await store.accept([first])
    good = [await a_submission(store) for _ in range(20)]
    answers = await asyncio.gather(
        *[store.accept([submission]) for submission in good[:10]],
        store.accept([first]),  # its key is taken
        *[store.accept([submission]) for submission in good[10:]],
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(refused) == 1
    assert isinstance(answers[10], RestanteError)
    found = await store.look([submission.transaction.id for submission in good])
    assert found == [submission.transaction for submission in good]


async def test_a_bad_submission_is_no_harm_to_the_others_of_its_call(store: Store) -> None:
    first, second, third = [await a_submission(store) for _ in range(3)]
    await store.accept([first])
    with pytest.raises(RestanteError):
        await store.accept([second, first, third])
    for good in (first, second, third):
        assert await now_is(store, good.transaction) == good.transaction
    assert store.queued == 3


async def test_what_is_not_finished_is_counted(opened: Opener) -> None:
    store = await opened()
    for tenant in ("a", "b", "b"):
        await accepted(store, tenant=tenant)
    for each in (store, await opened()):
        assert each.queued == 3
        assert [each.queued_of(tenant) for tenant in ("a", "b", "c")] == [1, 2, 0]


async def test_numbers_are_given_once_and_keys_grow_with_them(opened: Opener) -> None:
    store = await opened()
    first, second = await store.reserve_numbers(5), await store.reserve_numbers(3)
    assert (len(first), len(second)) == (5, 3)
    assert second[0] > first[-1]
    keys = [store.key(number, NOW + DAY) for number in (*first, *second)]
    assert keys == sorted(set(keys))
    kept = await accepted(store)
    assert kept.key > keys[-1]
    assert await a_key(await opened()) > kept.key


async def test_too_many_waiting_writes_are_refused_and_settling_is_refused_last(opened: Opener) -> None:
    store = await opened(max_waiting=10)
    submissions = [await a_submission(store) for _ in range(60)]
    answers = await asyncio.gather(*[store.accept([one]) for one in submissions], return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, StoreUnavailable)]
    assert refused
    assert all(error.retry_after_seconds for error in refused)
    kept = [one for one, answer in zip(submissions, answers, strict=True) if isinstance(answer, list)]
    assert len(kept) + len(refused) == 60
    assert store.queued == len(kept)
    assert await store.look([one.transaction.id for one in kept]) == [one.transaction for one in kept]


async def test_a_closed_store_refuses(opened: Opener) -> None:
    store = await opened()
    submission = await a_submission(store)
    await store.close()
    await store.close()
    for call in (store.accept([submission]), store.look([submission.transaction.id]), store.ping()):
        with pytest.raises(StoreUnavailable):
            await call


async def test_closing_finishes_what_was_waiting(opened: Opener) -> None:
    store = await opened()
    submissions = [await a_submission(store) for _ in range(30)]
    waiting = [asyncio.ensure_future(store.accept([submission])) for submission in submissions]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*waiting)
    store = await opened()
    assert None not in await store.look([submission.transaction.id for submission in submissions])


async def test_headers_are_kept_byte_for_byte(store: Store) -> None:
    transaction = await accepted(store)
    (request,) = await store.requests([transaction.key])
    assert request is not None
    assert request.headers == HEADERS


async def test_a_store_that_can_write_answers_a_ping(store: Store) -> None:
    await store.ping()
