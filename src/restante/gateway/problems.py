"""What went wrong, as an HTTP answer. Data: one table for what is not `Refused`, which carries its own.

On `/-/` an error is a problem (RFC 9457), on every other path a JSON object with `message`: existing
clients of both seeds read that, and on their paths `status` is a word, not a number.
"""

import logging
import re
from typing import ClassVar

import msgspec

from ..core.errors import (
    AddressRefused,
    BadRequest,
    BodyTooLarge,
    KeyReused,
    MoveRefused,
    NoAnswerInTime,
    NoRoute,
    QueueFull,
    Refused,
    RestanteError,
    StorageFull,
    StoreUnavailable,
    TooManyQueued,
    TooManyRequests,
    TooMuchStored,
    UpstreamError,
)
from .reply import JSON, NO_STORE, PROBLEM, Reply, encode, length, retry_after, text, word

WENT_WRONG = "We're sorry, but something went wrong"
UNKNOWN = "unknown"

CHALLENGE = 'Bearer realm="restante", Basic realm="restante", charset="UTF-8"'
"""What a 401 asks for (RFC 9110 §11.6.1)."""

log = logging.getLogger("restante.gateway")


class MethodNotAllowed(Refused):
    """`allow` is what the path does serve."""

    status = 405
    title = "Method not allowed"

    def __init__(self, allow: str) -> None:
        super().__init__(f"This path answers {allow} only.")
        self.allow = allow


class Unauthenticated(Refused):
    """Nobody knows who is asking (RFC 9110 §15.5.2)."""

    status = 401
    title = "Unauthenticated"


class MissingScope(Refused):
    """It is known who is asking, and they may not."""

    status = 403
    title = "Missing scope"


class ForeignPage(Refused):
    """A web page of another origin asks for something to be changed, and is not in `cors_origins`."""

    status = 403
    title = "Foreign page"


class NotHere(Refused):
    """Nobody is asked for a key, so only this machine's own callers may ask for it (`Policy.here`)."""

    status = 403
    title = "Not from here"


class ForeignHost(Refused):
    """In `auth.mode` open, `/-/` was called by a host name that is none of ours, nor in `hosts`."""

    status = 421
    title = "Foreign host"


class UnknownKey(Refused):
    """No access key of this caller's tenant has the id."""

    status = 404
    title = "Unknown key"


class UnknownTransaction(Refused):
    """No transaction of this caller's has the id."""

    status = 404
    title = "Unknown transaction"


class UnknownEndpoint(Refused):
    """No endpoint of this caller's has the id."""

    status = 404
    title = "Unknown endpoint"


class UnknownDelivery(Refused):
    """No delivery of this caller's has the id."""

    status = 404
    title = "Unknown delivery"


class NoResult(Refused):
    """The upstream gave no answer, or it is no longer kept."""

    status = 404
    title = "No result"


class NotFinished(Refused):
    """The transaction is still running."""

    status = 425
    title = "Not finished"


class NotServed(Refused):
    """Something that HTTP offers and we do not."""

    status = 501
    title = "Not served"


class TooManyStreams(Refused):
    """More live event streams than `Limits.streams`."""

    status = 503
    title = "Too many streams"


class Problem(msgspec.Struct, frozen=True):
    """Everything that is said about an error."""

    status: int
    title: str
    detail: str
    field: str = ""
    retry_after_seconds: int | None = None
    allow: str = ""
    challenge: str = ""

    type_prefix: ClassVar[str] = "urn:restante:problem:"

    @property
    def type(self) -> str:
        """Names the kind of problem, once and for all."""
        return self.type_prefix + _slug(self.title)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower())


INTERNAL = "Internal error"

OTHERS: tuple[tuple[type[RestanteError], int, str], ...] = (
    (NoAnswerInTime, 504, "Gateway timeout"),
    (UpstreamError, 502, "Bad gateway"),
    (MoveRefused, 409, "Conflict"),
)
"""Errors that are not `Refused`, the first that fits; their texts are for people."""


def problem_of(error: BaseException) -> Problem:
    """Raw text of what was not foreseen goes to the log, never to the caller."""
    if isinstance(error, Refused):
        return Problem(
            error.status,
            error.title,
            error.message,
            error.field,
            error.retry_after_seconds,
            error.allow if isinstance(error, MethodNotAllowed) else "",
            CHALLENGE if isinstance(error, Unauthenticated) else "",
        )
    for kind, status, title in OTHERS:
        if isinstance(error, kind):
            detail = str(error)
            return Problem(status, title, detail[:1].upper() + detail[1:])
    log.error("an unforeseen error", exc_info=error)
    return Problem(500, INTERNAL, WENT_WRONG)


def reason_of(error: BaseException) -> str:
    """In a word, for who counts: the end of the problem's type."""
    if isinstance(error, Refused):
        return _slug(error.title)
    return next((_slug(title) for kind, _, title in OTHERS if isinstance(error, kind)), _slug(INTERNAL))


REASONS = (
    *(
        _slug(kind.title)
        for kind in (
            BadRequest,
            AddressRefused,
            NoRoute,
            Unauthenticated,
            MissingScope,
            BodyTooLarge,
            KeyReused,
            TooManyRequests,
            TooManyQueued,
            TooMuchStored,
            QueueFull,
            StorageFull,
            StoreUnavailable,
        )
    ),
    _slug(INTERNAL),
)
"""Why submissions are refused, mostly."""


def as_message(problem: Problem, *, status: str) -> Reply:
    """`{"message", "field"?}`: the form of every path but `/-/`."""
    content = {"message": problem.detail}
    if problem.field:
        content["field"] = problem.field
    return _reply(problem, encode(content), JSON, status)


def as_problem(problem: Problem, instance: str, *, status: str) -> Reply:
    """RFC 9457. `instance` is the path that was asked for."""
    content: dict[str, str | int] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
    }
    if problem.field:
        content["field"] = problem.field
    return _reply(problem, encode(content), PROBLEM, status)


def _reply(problem: Problem, body: bytes, kind: tuple[bytes, bytes], status: str) -> Reply:
    headers = [kind, length(body), NO_STORE, word(status)]
    if problem.retry_after_seconds is not None:
        headers.append(retry_after(problem.retry_after_seconds))
    if problem.allow:
        headers.append(text(b"allow", problem.allow))
    if problem.challenge:
        headers.append(text(b"www-authenticate", problem.challenge))
    return Reply(problem.status, headers, body)
