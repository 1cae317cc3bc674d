"""What others say about a transaction: an upstream about its work, a person about an unknown outcome.

A report without an end is an `info` event; with one it settles the transaction, before or after the
answer that deferred it. A resolution settles what is not finished; what has ended as failed with an
unknown outcome stays as it ended, and gets a note (docs/why/0005-resolve.md).
"""

from typing import Any

import msgspec

from . import change
from .errors import NotNow
from .machine import TERMINAL
from .model import Body, Change, Headers, Result, Transaction
from .outcome import completed_data, failed_data
from .policy import Limits, Route
from .status import Phase, Status

JSON: Headers = ((b"content-type", b"application/json"),)


class Told(msgspec.Struct, frozen=True):
    """A result as somebody told it: `status` is 2xx where the work was done."""

    status: int
    headers: Headers
    body: bytes


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the upstream says. `status` None: it goes on."""

    message: str | None = None
    data: dict[str, Any] | None = None
    status: Status | None = None
    result: Told | None = None


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says about an unknown outcome."""

    status: Status
    reason: str
    by: str
    result: Told | None = None


def reported(
    transaction: Transaction, report: Report, *, attempt: int, route: Route, limits: Limits, now: int
) -> Change:
    """The upstream reports about `attempt`. Raises `NotNow`."""
    if transaction.status in TERMINAL:
        raise NotNow(f"The transaction has ended: it has {transaction.status}.")
    if transaction.attempt != attempt:
        raise NotNow("The token is that of another attempt than the current one.")
    if report.status is None:
        if transaction.sequence >= limits.events:
            raise NotNow(f"It has {limits.events} events (max_events); only its end can be reported.")
        message = report.message or change.say(route, "info")
        return change.inform(transaction, now=now, message=message, data=report.data or {})
    if not route.deferred and transaction.phase is not Phase.DEFERRED:
        raise NotNow("Only work on a route with deferred = true can be ended by a report.")
    result = _result(transaction, report.status, report.result, report.message, report.data)
    data = _data(transaction, result, route, limits)
    if report.data is not None:
        data = {**data, **report.data} if data and report.status is Status.FAILED else report.data
    message = route.message(report.status) or report.message or change.MESSAGES[report.status]
    return change.settle(transaction, now=now, result=result, data=data, message=message)


def resolved(
    transaction: Transaction, resolution: Resolution, *, route: Route, limits: Limits, now: int
) -> Change:
    """A person settles an unknown outcome. Raises `NotNow` where there is none.

    That it was not resolved before is the caller's business: it has the log.
    """
    said = {"resolved": resolution.status.value, "reason": resolution.reason, "by": resolution.by}
    words = change.say(route, "resolved")
    if transaction.status in TERMINAL:
        if transaction.status is not Status.FAILED or not transaction.doubtful:
            raise NotNow(f"The transaction has {transaction.status} and its outcome is known.")
        if resolution.result is not None:
            raise NotNow("The transaction has ended: it can be given no other result.")
        return change.note(transaction, now=now, message=words, data=said)
    if transaction.phase is Phase.SENDING:
        raise NotNow("The request is being executed: its outcome may still come.")
    if transaction.phase is Phase.WAITING and not transaction.doubtful:
        raise NotNow("Nothing is unknown: the request was not sent yet. It can be cancelled.")
    told = change.inform(transaction, now=now, message=words, data=said)
    result = _result(transaction, resolution.status, resolution.result, words, None)
    end = change.settle(
        told.after,
        now=now,
        result=result,
        data=_data(transaction, result, route, limits),
        message=change.say(route, resolution.status.value),
    )
    return change.join(told, end)


def _result(
    transaction: Transaction, status: Status, told: Told | None, message: str | None, data: Any
) -> Result:
    """What response_url gives. Where nothing was told, a small JSON object says how it ended."""
    if told is None:
        content = {"status": status, "message": message or change.MESSAGES[status], "data": data or {}}
        told = Told(200 if status is Status.COMPLETED else 500, JSON, msgspec.json.encode(content))
    return Result(told.status, told.headers, Body(len(told.body), told.body), transaction.attempt)


def _data(transaction: Transaction, result: Result, route: Route, limits: Limits) -> dict[str, Any] | None:
    if 200 <= result.status < 300:
        return completed_data(transaction, result, route, limits)
    return failed_data(transaction, result, limits)
