"""What becomes of an attempt: the rules of the contract's second promise, in one place.

*Surely not sent* is run again within the retry limits. *Interrupted* (perhaps sent, no complete answer)
is repeated only where a repeat does not hurt: idempotent methods, and routes that say
`interrupted = "retry"`. A complete answer is the end, unless its code is listed in `retry.on`, which is
the upstream's word that it did nothing.
"""

from typing import Any

import msgspec

from . import change
from .errors import AnswerTooLarge, NoAnswerInTime, UpstreamError
from .headers import first
from .machine import TERMINAL
from .model import Change, Result, Transaction
from .pointer import NOTHING, decode, pick
from .policy import IDEMPOTENT_METHODS, SAFE_METHODS, Limits, Route, Upstream
from .schedule import next_attempt
from .status import Dialect, Interrupted, Outcome

REASON = 1000
"""Characters of what an operation says of why it is to be tried again."""


def repeatable(transaction: Transaction, route: Route) -> bool:
    """Whether sending it twice does not hurt."""
    return transaction.method in IDEMPOTENT_METHODS or route.interrupted is Interrupted.RETRY


def harmless(transaction: Transaction) -> bool:
    """Whether it does nothing at the upstream (RFC 9110 §9.2.1), so that its mark need not come first."""
    return transaction.method in SAFE_METHODS


def answered(
    transaction: Transaction,
    result: Result,
    *,
    attempt: int,
    route: Route,
    upstream: Upstream,
    limits: Limits,
    now: int,
    chance: float,
    retry_after: int | None = None,
) -> Change:
    """The upstream gave a complete answer."""
    if result.status in upstream.retry.on_codes:
        until = next_attempt(upstream.retry, attempt=attempt, now=now, chance=chance, retry_after=retry_after)
        reason = _why_again(result, upstream)
        if again := later(transaction, until, attempt=attempt, reason=reason, route=route, now=now):
            return again
    if 200 <= result.status < 300:
        if route.deferred and (first(result.headers, b"restante-completion") or b"").lower() == b"deferred":
            return change.defer(transaction, attempt=attempt, now=now, route=route)
        return change.complete(
            transaction,
            attempt=attempt,
            now=now,
            result=result,
            data=completed_data(transaction, result, route, limits),
            route=route,
        )
    return change.fail(
        transaction,
        attempt=attempt,
        now=now,
        outcome=Outcome.ANSWERED,
        data=failed_data(transaction, result, limits),
        result=result,
        message="The operation failed" if upstream.operation else f"The upstream answered {result.status}",
        route=route,
    )


def _why_again(result: Result, upstream: Upstream) -> str:
    """What an operation said; nothing that an upstream elsewhere did."""
    said = result.body.inline if upstream.operation else None
    return (said or b"").decode("utf-8", "replace")[:REASON] or f"the upstream answered {result.status}"


def unanswered(
    transaction: Transaction,
    error: UpstreamError,
    *,
    attempt: int,
    route: Route,
    upstream: Upstream,
    now: int,
    chance: float,
) -> Change:
    """The attempt ended without a complete answer."""
    doubtful, reason = error.sent, error.message
    if (
        upstream.retry.on_connect
        if not doubtful
        else repeatable(transaction, route) and not isinstance(error, AnswerTooLarge)
    ):
        until = next_attempt(upstream.retry, attempt=attempt, now=now, chance=chance)
        if again := later(
            transaction, until, attempt=attempt, reason=reason, doubtful=doubtful, route=route, now=now
        ):
            return again
    outcome = of_error(error)
    return broken(
        transaction, outcome, attempt=attempt, reason=reason, doubtful=doubtful, route=route, now=now
    )


def of_error(error: UpstreamError) -> Outcome:
    """Why there is no complete answer, in a word."""
    if isinstance(error, NoAnswerInTime):
        return Outcome.TIMED_OUT
    return Outcome.INTERRUPTED if error.sent else Outcome.UNREACHABLE


def later(
    transaction: Transaction,
    until: int | None,
    *,
    attempt: int,
    reason: str,
    route: Route,
    now: int,
    doubtful: bool = False,
    lookup: int | None = None,
) -> Change | None:
    """Another attempt (or look-up) at `until`; None where there is no such moment before the deadline."""
    if until is None or until >= transaction.deadline:
        return None
    return change.delay(
        transaction,
        attempt=attempt,
        now=now,
        until=until,
        reason=reason,
        doubtful=doubtful,
        lookup=lookup,
        route=route,
    )


def broken(
    transaction: Transaction,
    outcome: Outcome,
    *,
    attempt: int,
    reason: str,
    route: Route,
    now: int,
    doubtful: bool = False,
) -> Change:
    """The end without an answer. Whether the work was done is unknown if any attempt may have been sent."""
    text = reason[:1].upper() + reason[1:]
    data: dict[str, Any] = {"outcome": outcome.value, "attempt": attempt, "error_message": text}
    if doubtful or transaction.doubtful:
        data["outcome_unknown"] = True
        text += "; whether the work was done is unknown"
    return change.fail(
        transaction,
        attempt=attempt,
        now=now,
        outcome=outcome,
        data=data,
        doubtful=doubtful,
        message=text,
        route=route,
    )


def unknown(transaction: Transaction) -> bool:
    """Whether it ended, and nobody knows if its work was done: some attempt may have been sent, and had no
    complete answer.
    """
    known = transaction.outcome is Outcome.ANSWERED or transaction.doubtful == 0
    return transaction.status in TERMINAL and not known


def json_object(result: Result, limits: Limits) -> dict[str, Any] | None:
    """The answer as a JSON object, or None where it is something else, encoded, or over `event_data`."""
    body = result.body.inline
    if body is None or len(body) >= limits.event_data or first(result.headers, b"content-encoding"):
        return None
    document = decode(body)
    return document if isinstance(document, dict) else None


def completed_data(
    transaction: Transaction, result: Result, route: Route, limits: Limits
) -> dict[str, Any] | None:
    """What the event of a 2xx answer carries; None stands for the answer itself."""
    if transaction.dialect is not Dialect.TRANSACTION:
        return {"status_code": result.status}
    if route.data is None:
        return None if json_object(result, limits) is not None else {}
    document = decode(result.body.inline or b"")
    picked = {name: pick(document, pointer) for name, pointer in route.data}
    picked = {name: value for name, value in picked.items() if value is not NOTHING}
    return picked if len(msgspec.json.encode(picked)) <= limits.event_data else {}


def failed_data(transaction: Transaction, result: Result, limits: Limits) -> dict[str, Any]:
    """What the event of any other answer carries."""
    if transaction.dialect is not Dialect.TRANSACTION:
        return {"status_code": result.status}
    text = (result.body.inline or b"")[: limits.event_data].decode("utf-8", "replace")
    return {"error_message": text or f"The upstream answered {result.status}"}
