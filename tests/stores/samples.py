"""Submissions, changes and short cuts for the stores' tests. Time is a number here."""

from typing import Any

from restante.core import change
from restante.core.clock import DAY, SECOND
from restante.core.errors import KeyReused
from restante.core.identity import RANDOM_BYTES, mint
from restante.core.model import Body, Change, IdempotencyKey, Request, Result, Submission, Transaction
from restante.core.status import Outcome, Reading
from restante.ports import Store

from ..core.samples import a_transaction

NOW = 1_700_000_000 * SECOND
LEASE = 15 * SECOND
HEADERS = ((b"Host", b"example.test"), (b"X-Twice", b"1"), (b"x-twice", b"\xff\x00\xe9"))


async def a_key(store: Store, *, expires_at: int = NOW + DAY) -> int:
    """A row key that nothing is kept under yet."""
    (number,) = await store.reserve_numbers(1)
    return store.key(number, expires_at)


async def a_submission(
    store: Store,
    *,
    body: Body | bytes = b'{"amount":1}',
    claim: bool = False,
    key: bytes | None = None,
    fingerprint: bytes = b"f" * 32,
    **fields: Any,
) -> Submission:
    """A fresh one, with a key of its own, accepted at NOW and due at once."""
    row = await a_key(store, expires_at=fields.get("expires_at", NOW + DAY))
    id = mint(row, row.to_bytes(RANDOM_BYTES, "big"), store.secret)
    transaction = a_transaction(**{"at": NOW, "key": row, "id": id, "path": "/payments", **fields})
    content = body if isinstance(body, Body) else Body(len(body), body)
    return Submission(
        transaction=transaction,
        event=change.accepted(transaction),
        request=Request(HEADERS, content),
        idempotency=IdempotencyKey(key.ljust(32), fingerprint) if key else None,
        claim=claim,
    )


async def accepted(store: Store, **fields: Any) -> Transaction:
    """A transaction that is in the store."""
    (answer,) = await store.accept([await a_submission(store, **fields)])
    assert not isinstance(answer, KeyReused)
    return answer.transaction


def begin(transaction: Transaction, *, now: int = NOW) -> Change:
    return change.begin(transaction, attempt=transaction.attempt + 1, now=now, lease=LEASE)


def complete(transaction: Transaction, *, body: Body | bytes = b"{}", now: int = NOW) -> Change:
    content = body if isinstance(body, Body) else Body(len(body), body)
    result = Result(200, HEADERS, content, transaction.attempt)
    return change.complete(transaction, attempt=transaction.attempt, now=now, result=result, data={"n": 1})


def fail(transaction: Transaction, *, now: int = NOW) -> Change:
    result = Result(500, (), Body(4, b"oops"), transaction.attempt)
    return change.fail(
        transaction,
        attempt=transaction.attempt,
        now=now,
        outcome=Outcome.ANSWERED,
        data={"error_message": "oops"},
        result=result,
    )


def delay(transaction: Transaction, *, until: int, lookup: int | None = None) -> Change:
    return change.delay(
        transaction,
        attempt=transaction.attempt,
        now=NOW,
        until=until,
        reason="a test",
        doubtful=True,
        lookup=lookup,
    )


async def applied(store: Store, *changes: Change) -> Transaction:
    """Applies all, none of them lost; how the transaction stands after the last."""
    assert await store.apply(changes) == [True] * len(changes)
    return changes[-1].after


async def completed(store: Store, **fields: Any) -> Transaction:
    begun = await applied(store, begin(await accepted(store, **fields)))
    return await applied(store, complete(begun))


async def failed(store: Store, **fields: Any) -> Transaction:
    begun = await applied(store, begin(await accepted(store, **fields)))
    return await applied(store, fail(begun))


async def now_is(store: Store, transaction: Transaction) -> Transaction | None:
    (found,) = await store.look([transaction.id])
    return found


async def many_events(store: Store, count: int) -> Transaction:
    """A transaction that is being executed and has `count` events."""
    told = begin(await accepted(store))
    while told.after.sequence < count:
        message = f"step {told.after.sequence}"
        told = change.join(told, change.inform(told.after, now=NOW, message=message, data={}))
    return await applied(store, told)


async def read(store: Store, transaction: Transaction) -> None:
    """Somebody reads the answer that may be read once."""
    token = await store.reserve_reading(transaction.key)
    assert token is not None
    assert await store.settle_reading(transaction.key, token, Reading.READ)


async def claimed(store: Store, *, now: int = NOW, limit: int = 100, upstream: str = "default") -> list[int]:
    """The keys that a claim returns, in its order."""
    return [claim.transaction.key for claim in await store.claim(upstream, limit, now)]
