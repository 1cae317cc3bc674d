"""Transitions as values: each function looks at a transaction and says what would change.

Nothing is changed here; the store applies a `Change` only where the row still stands at `before`.
Every change of status carries exactly one event for it, and an event's status is the one the
transaction has after it. The functions that end or pause an attempt take that attempt's number: a
worker whose attempt is not the current one any more (it lost its lease) is refused.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from .errors import MoveRefused, TooLate
from .machine import TERMINAL, Move, advance
from .model import Change, Event, Result, Transaction
from .policy import Route
from .status import EventKind, Outcome, Phase, Status

MESSAGES = {
    "accepted": "Accepted",
    "processing": "Being executed",
    "attempt": "Another attempt is being made",
    "delay": "Another attempt will be made",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "expired": "The deadline passed before the work was done",
    "deferred": "The upstream has taken it and will report the end",
    "info": "The upstream reports",
    "lookup": "The upstream will be asked what became of it",
    "settled": "Settled by look-up",
    "resolved": "Resolved by hand",
}
"""Default messages of events, by name; a route's `messages` replace them."""


def say(route: Route | None, name: str) -> str:
    """The message of an event: the route's own words, or the default ones."""
    return (route.message(name) if route else None) or MESSAGES[name]


def accepted(transaction: Transaction, route: Route | None = None) -> Event:
    """The first event of a transaction."""
    return Event(
        sequence=1,
        kind=EventKind.TRANSITION,
        message=say(route, "accepted"),
        data={},
        status=transaction.status,
        created_at=transaction.created_at,
    )


def begin(
    transaction: Transaction, *, attempt: int, now: int, lease: int, route: Route | None = None
) -> Change:
    """Attempt number `attempt` starts: the mark "about to be sent". Only what is waiting may begin."""
    if transaction.phase is not Phase.WAITING or transaction.attempt + 1 != attempt:
        raise MoveRefused(transaction.status, Move.BEGIN, f"attempt {attempt} is not the next one")
    first = transaction.status is Status.PENDING
    return _change(
        transaction,
        Move.BEGIN,
        now=now,
        kind=EventKind.TRANSITION if first else EventKind.INFO,
        message=say(route, "processing" if first else "attempt"),
        data={"attempt": attempt},
        attempt=attempt,
        phase=Phase.SENDING,
        due_at=now + lease,
    )


def delay(
    transaction: Transaction,
    *,
    attempt: int,
    now: int,
    until: int,
    reason: str,
    doubtful: bool,
    lookup: int | None = None,
    route: Route | None = None,
) -> Change:
    """The attempt is over without an end; the next one is made at `until` (or the deadline comes first).

    `doubtful`: the attempt may have been sent and had no complete answer. With `lookup` nobody knows whether
    the work was done, and what is made at `until` is the look-up of that number.
    """
    _fence(transaction, Move.DELAY, attempt)
    asked = {} if lookup is None else {"lookup": lookup}
    return _change(
        transaction,
        Move.DELAY,
        now=now,
        kind=EventKind.DELAY,
        message=say(route, "delay" if lookup is None else "lookup"),
        data={"attempt": attempt, **asked, "reason": reason, "until": until_text(until)},
        phase=Phase.WAITING if lookup is None else Phase.LOOKING,
        due_at=until,
        doubtful=transaction.doubtful + doubtful,
    )


def complete(
    transaction: Transaction,
    *,
    attempt: int,
    now: int,
    result: Result,
    data: dict[str, Any] | None,
    route: Route | None = None,
) -> Change:
    """The upstream answered 2xx."""
    _fence(transaction, Move.COMPLETE, attempt)
    return settle(transaction, now=now, result=result, data=data, message=say(route, "completed"))


def fail(
    transaction: Transaction,
    *,
    attempt: int,
    now: int,
    outcome: Outcome,
    data: dict[str, Any] | None,
    result: Result | None = None,
    doubtful: bool = False,
    message: str | None = None,
    route: Route | None = None,
) -> Change:
    """The upstream answered otherwise, or not at all."""
    _fence(transaction, Move.FAIL, attempt)
    return _end(
        transaction,
        Move.FAIL,
        now=now,
        kind=EventKind.FAILURE,
        message=(route.message("failed") if route else None) or message or MESSAGES["failed"],
        data=data,
        outcome=outcome,
        result=result,
        doubtful=transaction.doubtful + doubtful,
    )


def defer(transaction: Transaction, *, attempt: int, now: int, route: Route | None = None) -> Change:
    """The upstream has taken it and will report the end; nothing but its deadline is due any more."""
    _fence(transaction, Move.INFO, attempt)
    return _change(
        transaction,
        Move.INFO,
        now=now,
        kind=EventKind.INFO,
        message=say(route, "deferred"),
        data={"attempt": attempt, "deferred": True},
        phase=Phase.DEFERRED,
        due_at=transaction.deadline,
    )


def inform(transaction: Transaction, *, now: int, message: str, data: dict[str, Any]) -> Change:
    """Something worth telling; nothing else changes."""
    return _change(transaction, Move.INFO, now=now, kind=EventKind.INFO, message=message, data=data)


def settle(
    transaction: Transaction,
    *,
    now: int,
    result: Result,
    data: dict[str, Any] | None,
    message: str,
) -> Change:
    """The end, told by somebody who knows it: the upstream's report, a look-up, a person.

    Unlike a worker's changes it does not need the attempt to be under way.
    """
    completed = 200 <= result.status < 300
    return _end(
        transaction,
        Move.COMPLETE if completed else Move.FAIL,
        now=now,
        kind=EventKind.TRANSITION if completed else EventKind.FAILURE,
        message=message,
        data=data,
        outcome=Outcome.ANSWERED,
        result=result,
    )


def note(transaction: Transaction, *, now: int, message: str, data: dict[str, Any]) -> Change:
    """An event beside a transaction that has ended. Only the log grows: status, outcome, result and
    `updated_at` are what they were (docs/why/0005-resolve.md)."""
    if transaction.status not in TERMINAL:
        raise MoveRefused(transaction.status, Move.INFO, "a note is for what has ended")
    after = msgspec.structs.replace(transaction, sequence=transaction.sequence + 1)
    event = Event(after.sequence, EventKind.INFO, message, data, transaction.status, now)
    return Change(before=transaction, after=after, events=(event,))


def expire(transaction: Transaction, *, now: int, route: Route | None = None) -> Change:
    """The deadline passed. An attempt on the wire, or in the upstream's hands, becomes one more that
    nobody knows the end of."""
    doubtful = transaction.doubtful + (transaction.phase in (Phase.SENDING, Phase.DEFERRED))
    text = say(route, "expired")
    data: dict[str, Any] = {"outcome": Outcome.EXPIRED.value, "error_message": text}
    if doubtful:
        data["outcome_unknown"] = True
    return _end(
        transaction,
        Move.EXPIRE,
        now=now,
        kind=EventKind.FAILURE,
        message=text,
        data=data,
        outcome=Outcome.EXPIRED,
        doubtful=doubtful,
    )


def cancel(transaction: Transaction, *, now: int, route: Route | None = None) -> Change | None:
    """Stop it, where nothing can have been done yet. None: it is cancelled already.

    Raises `TooLate` where the work may have begun or is over.
    """
    if transaction.status is Status.CANCELLED:
        return None
    if transaction.status in TERMINAL:
        raise TooLate(f"It is too late to cancel: the transaction has {transaction.status}.")
    if transaction.phase is Phase.SENDING:
        raise TooLate("It is too late to cancel: the request is being executed.")
    if transaction.doubtful and transaction.phase is not Phase.DEFERRED:
        raise TooLate("It is too late to cancel: an earlier attempt may have been executed.")
    return _end(
        transaction,
        Move.CANCEL,
        now=now,
        kind=EventKind.TRANSITION,
        message=say(route, "cancelled"),
        data={},
        outcome=None,
    )


def join(first: Change, second: Change) -> Change:
    """Both changes as one, where `second` starts from what `first` leads to."""
    return Change(
        before=first.before,
        after=second.after,
        events=first.events + second.events,
        result=second.result,
        deliveries=first.deliveries + second.deliveries,
    )


def until_text(moment: int) -> str:
    """A moment as people and the native API read it: RFC 3339, UTC, microseconds."""
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _fence(transaction: Transaction, move: Move, attempt: int) -> None:
    if transaction.status in TERMINAL:
        raise MoveRefused(transaction.status, move)
    if transaction.attempt != attempt or transaction.phase is Phase.WAITING:
        raise MoveRefused(transaction.status, move, f"attempt {attempt} is not under way any more")


def _end(transaction: Transaction, move: Move, **what: Any) -> Change:
    return _change(
        transaction,
        move,
        **what,
        phase=Phase.WAITING,
        due_at=None,
        sweep_at=transaction.expires_at,
    )


def _change(
    transaction: Transaction,
    move: Move,
    *,
    now: int,
    kind: EventKind,
    message: str,
    data: dict[str, Any] | None,
    result: Result | None = None,
    **fields: Any,
) -> Change:
    status = advance(transaction.status, move)
    sequence = transaction.sequence + 1
    after = msgspec.structs.replace(
        transaction,
        status=status,
        sequence=sequence,
        updated_at=now,
        result_status=result.status if result else transaction.result_status,
        **fields,
    )
    event = Event(sequence, kind, message, data, status, now)
    return Change(before=transaction, after=after, events=(event,), result=result)
