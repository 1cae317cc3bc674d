"""Submissions as arguments of `accept`: what each has alone as columns, what many have in common once.

Most of a submission's columns are those of the one before it: the route decides them, and its moments lie in
fixed distances from its first. So these are one JSON object, kept by what it is made of, and a submission
says which one is its own. What would be encoded and read for each is so once for a group.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from ...core.feed import span_of
from ...core.model import Event, IdempotencyKey, Submission
from ..codes import DIALECT, KIND, OUTCOME, PHASE, READING, STATUS
from ..spelling import Row, headers_bytes
from .rows import columns, spelling, text

KEPT = 1024
"""Of so many kinds of submissions what they have in common is kept as text, half a kilobyte each."""

_WIDTH = 14

_json = msgspec.json.Encoder()


class Told(msgspec.Struct, frozen=True):
    """An event. `begun`: its moment is told from `updated_at`, as is what else a first attempt brings."""

    sequence: int
    kind: int
    message: str
    data: str | None
    status: int
    begun: bool
    created_at: int


class Common(msgspec.Struct, frozen=True):
    """The columns that many have in common, by their names. Moments are told from `created_at`, that of the
    next step from `updated_at`."""

    tenant: str
    status: int
    outcome: int | None
    phase: int
    sequence: int
    attempt: int
    doubtful: int
    dialect: int
    method: str
    operation: str
    upstream: str
    priority: int
    due_at: int | None
    deadline: int
    expires_at: int
    sweep_at: int
    result_status: int | None
    reading: int
    retry_of: str | None
    turn_at: int | None  # in `ready`: when it was due before an attempt began
    behind: int | None  # of its entry in the feed; None: it makes none
    events: tuple[Told, ...]


class Entry(msgspec.Struct):
    """A submission as a row of `accept`, whose last column is its hold, and what it shares with others."""

    submission: Submission
    row: Row
    common: str
    deliveries: list[Row]
    size: int  # bytes of headers and body

    @property
    def key(self) -> int:
        return self.submission.transaction.key

    @property
    def hold(self) -> int | None:
        hold: int | None = self.row[-1]
        return hold

    @property
    def begun(self) -> bool:
        """Whether the mark of its first attempt is written with it."""
        return self.submission.begun is not None

    @property
    def scope(self) -> bytes | None:
        claim = self.submission.idempotency
        return claim.scope if claim else None

    @property
    def claims(self) -> tuple[IdempotencyKey, ...]:
        """Its idempotency key, if it has one."""
        claim = self.submission.idempotency
        return (claim,) if claim else ()

    @property
    def former(self) -> tuple[IdempotencyKey, ...]:
        """As which that may be kept already."""
        claim = self.submission.idempotency
        return claim.former if claim else ()


def entry_of(submission: Submission, hold: int | None) -> Entry:
    first, request, claim = submission.transaction, submission.request, submission.idempotency
    begun, deliveries = submission.begun, submission.deliveries
    at = first.created_at
    told: tuple[Told, ...] = (_told(submission.event, at, begun=False),)
    behind = None
    t = first
    if begun is not None:
        t = begun.after
        deliveries += begun.deliveries
        told += tuple(_told(event, t.updated_at, begun=True) for event in begun.events)
        span = span_of(begun)
        behind = span[0] if span else None
    headers, body = headers_bytes(request.headers), request.body
    row = (
        t.key,
        t.id,
        at,
        t.updated_at,
        text(t.path),
        text(t.query),
        None if t.tracking_id is None else text(t.tracking_id),
        text("\n".join(t.callbacks)) if t.callbacks else None,
        headers,
        body.size,
        body.inline,
        claim.scope if claim else None,
        claim.fingerprint if claim else None,
        hold,
    )
    common = Common(
        t.tenant,
        STATUS[t.status],
        OUTCOME[t.outcome],
        PHASE[t.phase],
        t.sequence,
        t.attempt,
        t.doubtful,
        DIALECT[t.dialect],
        t.method,
        t.operation,
        t.upstream,
        t.priority,
        None if t.due_at is None else t.due_at - t.updated_at,
        t.deadline - at,
        t.expires_at - at,
        t.sweep_at - at,
        t.result_status,
        READING[t.reading],
        t.retry_of,
        None if first.due_at is None else first.due_at - at,
        behind,
        told,
    )
    posted = [spelling.delivery(delivery) for delivery in deliveries]
    return Entry(submission, row, _spelled(common), posted, len(headers) + len(body.inline or b""))


def arguments_of(entries: Sequence[Entry]) -> list[Any]:
    """Of `accept`, without deliveries. A column in which nobody has anything is none; `unnest` fills it."""
    places: dict[str, int] = {}
    which = [places.setdefault(entry.common, len(places) + 1) for entry in entries]
    own = columns([entry.row for entry in entries], _WIDTH)
    filled = [None if column.count(None) == len(column) else column for column in own]
    return [*filled, which, f"[{','.join(places)}]"]


def _told(event: Event, moment: int, *, begun: bool) -> Told:
    data = None if event.data is None else _json.encode(event.data).decode()
    return Told(
        event.sequence,
        KIND[event.kind],
        event.message,
        data,
        STATUS[event.status],
        begun,
        event.created_at - moment,
    )


@lru_cache(KEPT)
def _spelled(common: Common) -> str:
    stored = msgspec.structs.replace(
        common,
        tenant=text(common.tenant),
        method=text(common.method),
        operation=text(common.operation),
        upstream=text(common.upstream),
        events=tuple(msgspec.structs.replace(told, message=text(told.message)) for told in common.events),
    )
    return _json.encode(stored).decode()
