"""Dialect `task` (seed 000): what the status_url and the response_url of a task answer.

`situation` sorts a transaction into one of five situations, two tables say what each URL answers in it.
Both are total over status × outcome × reading × past retention.
"""

from enum import StrEnum
from typing import Any

import msgspec

from ..core.clock import SECOND
from ..core.machine import TERMINAL
from ..core.model import Transaction
from ..core.outcome import unknown as unknown_outcome
from ..core.retention import expired, read_once
from ..core.status import Outcome, Phase, Reading, Status

WENT_WRONG = "We're sorry, but something went wrong"
UNKNOWN_WORD = "unknown"
MAX_WAIT_SECONDS = 3600

SLOWER = 4
"""What takes longer than usual is asked for again after this part of what it has taken."""

BROKEN_CODES = {
    Outcome.UNREACHABLE: 502,
    Outcome.INTERRUPTED: 502,
    Outcome.TIMED_OUT: 504,
    Outcome.EXPIRED: 504,
}
"""The code of a task whose work itself broke, by how it did."""


class Situation(StrEnum):
    """The columns of the contract's table."""

    RUNNING = "running"
    ANSWERED = "answered"
    BROKEN = "broken"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # never known, expired, already read, or being read by somebody else


class Spelled(msgspec.Struct, frozen=True):
    """An answer. `body` None stands for the upstream's own answer, verbatim, with its own code."""

    code: int
    word: str  # Restante-Status
    body: dict[str, Any] | None
    wait_seconds: int | None = None  # Retry-After
    once: bool = False  # GET takes it: nobody gets it after that
    outcome: Outcome | None = None  # Restante-Outcome: how the work broke
    doubt: bool = False  # Restante-Outcome-Unknown: it may have been done


def situation(transaction: Transaction | None, now: int) -> Situation:
    """Which column a transaction is in at `now`."""
    if transaction is None or expired(transaction, now):
        return Situation.UNKNOWN
    if read_once(transaction) and transaction.reading is not Reading.UNREAD:
        return Situation.UNKNOWN
    if transaction.status not in TERMINAL:
        return Situation.RUNNING
    if transaction.status is Status.CANCELLED:
        return Situation.CANCELLED
    return Situation.ANSWERED if transaction.outcome is Outcome.ANSWERED else Situation.BROKEN


def status_url(origin: str, id: str) -> str:
    return f"{origin}/async/status/{id}"


def response_url(origin: str, id: str) -> str:
    return f"{origin}/async/result/{id}"


def accepted(origin: str, id: str) -> bytes:
    """The accept answer: exactly these four keys, in this order. Origin and id need no escaping."""
    return (
        f'{{"status":"processing","request_id":"{id}",'
        f'"status_url":"{origin}/async/status/{id}","response_url":"{origin}/async/result/{id}"}}'
    ).encode()


def wait_seconds(transaction: Transaction, now: int, *, usual: int = 0) -> int:
    """When asking again may help: when it will have ended, if it takes from its turn what its route `usual`ly
    does (microseconds; 0: that is not known). What takes longer is asked for ever less often, up to that.
    """
    if transaction.phase is Phase.WAITING and transaction.due_at is not None and transaction.due_at > now:
        left = transaction.due_at - now + usual
    else:
        taken = now - transaction.created_at
        left = usual - taken if taken < usual else min(taken // SLOWER, usual)
    return min(max(1, -(-left // SECOND)), MAX_WAIT_SECONDS)


def of_status(transaction: Transaction | None, id: str, *, now: int, origin: str, usual: int = 0) -> Spelled:
    """What GET status_url answers. `id` is the one that was asked for; `usual`: see `wait_seconds`."""
    column = situation(transaction, now)
    if transaction is None or column is Situation.UNKNOWN:
        return unknown(id)
    match column:
        case Situation.RUNNING:
            return Spelled(
                200,
                transaction.status,
                {"status": "processing", "request_id": id},
                wait_seconds=wait_seconds(transaction, now, usual=usual),
            )
        case Situation.ANSWERED:
            return Spelled(
                200,
                transaction.status,
                {"status": "completed", "request_id": id, "response_url": response_url(origin, id)},
            )
        case Situation.BROKEN:
            return _broken(transaction)
        case Situation.CANCELLED:
            return cancelled(id)


def of_result(transaction: Transaction | None, id: str, *, now: int, origin: str, usual: int = 0) -> Spelled:
    """What GET response_url answers. `usual`: see `wait_seconds`."""
    column = situation(transaction, now)
    if transaction is None or column is Situation.UNKNOWN:
        return unknown(id)
    match column:
        case Situation.RUNNING:
            return Spelled(
                425,
                transaction.status,
                {
                    "status": "processing",
                    "request_id": id,
                    "status_url": status_url(origin, id),
                    "response_url": response_url(origin, id),
                },
                wait_seconds=wait_seconds(transaction, now, usual=usual),
            )
        case Situation.ANSWERED:
            code = transaction.result_status or 0
            return Spelled(code, transaction.status, None, once=read_once(transaction))
        case Situation.BROKEN:
            return _broken(transaction, once=read_once(transaction))
        case Situation.CANCELLED:
            return Spelled(410, transaction.status, {"message": "The task was cancelled"})


def unknown(id: str) -> Spelled:
    """Whatever the id looks like."""
    return Spelled(404, UNKNOWN_WORD, {"status": "unknown", "request_id": id})


def cancelled(id: str) -> Spelled:
    """What DELETE status_url answers where it took effect, and GET from then on."""
    return Spelled(200, Status.CANCELLED, {"status": "cancelled", "request_id": id})


def broken_code(transaction: Transaction) -> int:
    """502 or 504, where there is no answer because the work itself broke."""
    return 502 if transaction.outcome is None else BROKEN_CODES.get(transaction.outcome, 502)


def _broken(transaction: Transaction, *, once: bool = False) -> Spelled:
    """The seed's words; whether it may have been done is said beside them."""
    return Spelled(
        broken_code(transaction),
        transaction.status,
        {"message": WENT_WRONG},
        once=once,
        outcome=transaction.outcome,
        doubt=unknown_outcome(transaction),
    )
