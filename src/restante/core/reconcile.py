"""`interrupted = "reconcile"`: the upstream is asked what became of a request that may have been executed.

Never before the upstream's timeout plus the lease has passed since the attempt: by then it has done the
work or never will. What is found settles the transaction as completed; what is not found ends as failed
or is repeated, as the route says. An answer that says neither (an error, no JSON, none at all) settles
nothing: the look-up is made again within the retry limits, and then the outcome stays unknown.
"""

from urllib.parse import quote

from . import change
from .errors import MoveRefused
from .forward import forward_headers
from .machine import Move
from .model import Body, Change, Event, Headers, Result, Transaction
from .outcome import broken, completed_data, later
from .pointer import NOTHING, decode, pick_raw
from .policy import IDEMPOTENT_METHODS, Limits, Lookup, Route, Upstream
from .schedule import next_attempt
from .status import EventKind, Interrupted, Outcome, Phase

NOT_FOUND = 404
NOTHING_THERE = "the look-up did not find it"

UNASKABLE = frozenset({None, ".", ".."})
"""No tracking id; and those that in a path, however they are escaped, name another resource."""

DROPPED = frozenset(
    {
        b"accept-encoding",
        b"idempotency-key",
        b"requestid",
        b"prefer",
        b"range",
        b"traceparent",
        b"tracestate",
    }
)
"""Header fields of the request that say nothing about a look-up; `content-…` and `if-…` neither."""


def asks(transaction: Transaction, route: Route) -> bool:
    """Whether a look-up can tell what became of it. What may be repeated without harm is not asked for."""
    if route.interrupted is not Interrupted.RECONCILE or route.lookup is None:
        return False
    if transaction.method in IDEMPOTENT_METHODS:
        return False
    if "{tracking_id}" not in route.lookup.target:
        return True
    return transaction.tracking_id not in UNASKABLE


def first_look(
    transaction: Transaction,
    *,
    attempt: int,
    reason: str,
    route: Route,
    upstream: Upstream,
    limits: Limits,
    now: int,
) -> Change | None:
    """The attempt's outcome is unknown: it is asked for. None: not before the deadline.

    Before this change, the row was last written when the attempt began (or later).
    """
    until = max(now, transaction.updated_at + upstream.timeout + limits.lease)
    return later(
        transaction, until, attempt=attempt, reason=reason, doubtful=True, lookup=1, route=route, now=now
    )


def number_of(log: list[Event]) -> int:
    """Which look-up the last one of the log announces."""
    for event in reversed(log):
        if event.kind is EventKind.DELAY and event.data and "lookup" in event.data:
            return int(event.data["lookup"])
    return 1


def target_of(transaction: Transaction, lookup: Lookup, upstream: Upstream) -> str:
    """The look-up's request target."""
    path = lookup.target.replace("{tracking_id}", quote(transaction.tracking_id or "", safe=""))
    return upstream.base_path + path.replace("{id}", transaction.id)


def headers_of(kept: Headers, upstream: Upstream, transaction: Transaction) -> Headers:
    """The caller's header fields, as far as they make sense in a GET."""
    fields = tuple(
        pair for pair in kept if pair[0] not in DROPPED and not pair[0].startswith((b"content-", b"if-"))
    )
    ours = ((b"Accept-Encoding", b"identity"), (b"Restante-Transaction", transaction.id.encode()))
    return forward_headers(fields, upstream, extra=ours)


def answered(
    transaction: Transaction,
    *,
    attempt: int,
    number: int,
    status: int,
    body: bytes,
    lookup: Lookup,
    route: Route,
    upstream: Upstream,
    limits: Limits,
    now: int,
    chance: float,
) -> Change:
    """The look-up has a complete answer."""
    _fence(transaction, attempt)
    if 200 <= status < 300 and decode(body) is not NOTHING:
        if pick_raw(body, lookup.found) is not None:
            answer = pick_raw(body, lookup.answer)
            return _found(transaction, body if answer is None else answer, number, route, limits, now)
    elif status != NOT_FOUND:
        reason = "its answer was no JSON" if 200 <= status < 300 else f"it answered {status}"
        return unclear(
            transaction,
            attempt=attempt,
            number=number,
            reason=reason,
            route=route,
            upstream=upstream,
            now=now,
            chance=chance,
        )
    if lookup.retry:
        until = next_attempt(upstream.retry, attempt=attempt, now=now, chance=chance)
        if again := later(transaction, until, attempt=attempt, reason=NOTHING_THERE, route=route, now=now):
            return again
    return failed(transaction, attempt=attempt, reason=NOTHING_THERE, now=now, route=route)


def unclear(
    transaction: Transaction,
    *,
    attempt: int,
    number: int,
    reason: str,
    route: Route,
    upstream: Upstream,
    now: int,
    chance: float,
) -> Change:
    """The look-up says nothing: once more within the retry limits, or the outcome stays unknown."""
    _fence(transaction, attempt)
    until = next_attempt(upstream.retry, attempt=number, now=now, chance=chance)
    again = later(transaction, until, attempt=attempt, reason=reason, lookup=number + 1, route=route, now=now)
    reason = f"the look-up did not tell what became of it: {reason}"
    return again or failed(transaction, attempt=attempt, reason=reason, now=now, route=route)


def failed(transaction: Transaction, *, attempt: int, reason: str, now: int, route: Route) -> Change:
    """As `interrupted = "fail"` ends it."""
    _fence(transaction, attempt)
    return broken(transaction, Outcome.INTERRUPTED, attempt=attempt, reason=reason, route=route, now=now)


def _found(
    transaction: Transaction, answer: bytes, number: int, route: Route, limits: Limits, now: int
) -> Change:
    """Two events in one commit: that it was settled by look-up, and the end."""
    headers: Headers = ((b"content-type", b"application/json"),)
    result = Result(200, headers, Body(len(answer), answer), transaction.attempt)
    told = change.inform(
        transaction, now=now, message=change.say(route, "settled"), data={"lookup": number, "found": True}
    )
    end = change.settle(
        told.after,
        now=now,
        result=result,
        data=completed_data(transaction, result, route, limits),
        message=change.say(route, "completed"),
    )
    return change.join(told, end)


def _fence(transaction: Transaction, attempt: int) -> None:
    """A look-up settles only what still waits for it."""
    if transaction.phase is not Phase.LOOKING or transaction.attempt != attempt:
        raise MoveRefused(transaction.status, Move.COMPLETE, "it does not wait for a look-up any more")
