"""One key and one request: one transaction, however many submit it at once."""

import asyncio
from typing import Any

import msgspec

from restante.core.clock import DAY
from restante.core.errors import KeyReused
from restante.core.model import Accepted, IdempotencyKey, Submission
from restante.core.status import Reading
from restante.ports import Store

from .conftest import Opener
from .samples import NOW, a_submission, accepted, claimed, failed, now_is, read


async def test_the_same_key_and_request_is_the_first_transaction(opened: Opener) -> None:
    store = await opened()
    first = await accepted(store, key=b"a")
    again = await a_submission(store, key=b"a")
    assert await store.accept([again]) == [Accepted(first, replayed=True)]
    assert await now_is(store, again.transaction) is None
    assert store.queued == 1
    store = await opened()
    assert await store.accept([await a_submission(store, key=b"a")]) == [Accepted(first, replayed=True)]


async def test_the_same_key_with_another_request_is_refused(store: Store) -> None:
    await accepted(store, key=b"a")
    other = await a_submission(store, key=b"a", fingerprint=b"g" * 32)
    (answer,) = await store.accept([other])
    assert isinstance(answer, KeyReused)
    assert await now_is(store, other.transaction) is None


async def test_what_was_kept_under_a_former_hash_is_the_first(opened: Opener) -> None:
    store = await opened()
    first = await accepted(store, key=b"a")
    known = IdempotencyKey(b"a".ljust(32), b"f" * 32)

    async def a_later(
        scope: bytes, *, fingerprint: bytes = b"f" * 32, former: IdempotencyKey = known, **fields: Any
    ) -> Submission:
        hashed = IdempotencyKey(scope * 32, fingerprint, (IdempotencyKey(b"n" * 32, b"n" * 32), former))
        return msgspec.structs.replace(await a_submission(store, **fields), idempotency=hashed)

    again, other, fresh, same = [
        await a_later(b"b", body=b"again"),
        await a_later(b"b", former=IdempotencyKey(known.scope, b"g" * 32)),
        await a_later(b"c", former=IdempotencyKey(b"d" * 32, b"f" * 32)),
        await a_later(b"c", former=IdempotencyKey(b"d" * 32, b"f" * 32)),
    ]
    answers = await asyncio.gather(*[store.accept([one]) for one in (again, other, fresh, same)])
    assert answers[0] == [Accepted(first, replayed=True)]
    assert isinstance(answers[1][0], KeyReused)
    assert answers[2:] == [[Accepted(fresh.transaction)], [Accepted(fresh.transaction, replayed=True)]]
    together = await store.accept([again, await a_submission(store, key=b"e"), same])
    assert [one.replayed for one in together if isinstance(one, Accepted)] == [True, False, True]
    late = await a_later(b"b", created_at=NOW + DAY, expires_at=NOW + 2 * DAY)
    assert await store.accept([late]) == [Accepted(late.transaction)]
    assert store.queued == 4


async def test_two_racing_first_submits_are_one_transaction(store: Store) -> None:
    submissions = [await a_submission(store, key=b"a") for _ in range(20)]
    answers = await asyncio.gather(*[store.accept([submission]) for submission in submissions])
    assert len({answer[0].transaction.id for answer in answers}) == 1  # type: ignore[union-attr]
    assert sorted(answer[0].replayed for answer in answers) == [False] + [True] * 19  # type: ignore[union-attr]
    assert store.queued == 1


async def test_racing_submits_in_one_call_are_one_transaction(store: Store) -> None:
    one, two = await a_submission(store, key=b"a"), await a_submission(store, key=b"a")
    other = await a_submission(store, key=b"a", fingerprint=b"g" * 32)
    first, second, third = await store.accept([one, two, other])
    assert first == Accepted(one.transaction)
    assert second == Accepted(one.transaction, replayed=True)
    assert isinstance(third, KeyReused)


async def test_a_key_is_forgotten_with_its_transactions_retention(store: Store) -> None:
    first = await accepted(store, key=b"a")
    last = await a_submission(store, key=b"a", created_at=NOW + DAY - 1, expires_at=NOW + 2 * DAY)
    assert await store.accept([last]) == [Accepted(first, replayed=True)]
    late = await a_submission(
        store, key=b"a", fingerprint=b"g" * 32, created_at=NOW + DAY, expires_at=NOW + 2 * DAY
    )
    assert await store.accept([late]) == [Accepted(late.transaction)]
    again = await a_submission(store, key=b"a", fingerprint=b"g" * 32, created_at=NOW + DAY + 1)
    assert await store.accept([again]) == [Accepted(late.transaction, replayed=True)]


async def test_a_replay_makes_an_error_that_was_read_readable_once_more(store: Store) -> None:
    first = await failed(store, key=b"a")
    await read(store, first)
    (answer,) = await store.accept([await a_submission(store, key=b"a")])
    assert answer == Accepted(first, replayed=True)
    assert await now_is(store, first) == first


async def test_a_replay_that_overtakes_the_confirmation_makes_the_error_readable_too(store: Store) -> None:
    """The reader has the last byte, and sends the request again before its reading is confirmed."""
    first = await failed(store, key=b"a")
    token = await store.reserve_reading(first.key)
    assert token is not None
    (answer,) = await store.accept([await a_submission(store, key=b"a")])
    assert answer == Accepted(first, replayed=True)
    assert not await store.settle_reading(first.key, token, Reading.READ)
    assert await now_is(store, first) == first


async def test_a_replay_is_not_held(store: Store) -> None:
    first = await accepted(store, key=b"a")
    await store.accept([await a_submission(store, key=b"a", claim=True)])
    await store.accept([await a_submission(store, key=b"a", fingerprint=b"g" * 32, claim=True)])
    assert await claimed(store) == [first.key]


async def test_different_keys_do_not_meet(store: Store) -> None:
    submissions = [await a_submission(store, key=b"%d" % number) for number in range(50)]
    assert await store.accept(submissions) == [Accepted(one.transaction) for one in submissions]
