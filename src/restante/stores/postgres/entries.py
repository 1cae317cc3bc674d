"""Submissions as arguments of `accept`: what each has alone as columns, what many have in common once.

Most of a submission's columns are those of the one before it: the route decides them, and its moments lie in
fixed distances from its first. So these are one JSON object, kept by what it is made of, and a submission
says which one is its own. What would be encoded and read for each is so once for a group.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from ...core.model import IdempotencyKey, Submission
from ..codes import DIALECT, KIND, OUTCOME, PHASE, READING, STATUS
from ..spelling import Row, headers_bytes
from .rows import columns, spelling, text

KEPT = 1024
"""Of so many kinds of submissions what they have in common is kept as text, half a kilobyte each."""

_WIDTH = 13

_json = msgspec.json.Encoder()


class Common(msgspec.Struct, frozen=True):
    """The columns that many have in common, by their names. Moments are told from `created_at`."""

    tenant: str
    updated_at: int
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
    event_sequence: int
    event_kind: int
    event_message: str
    event_data: str | None
    event_status: int
    event_created_at: int


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
    t, event, request, claim = (
        submission.transaction,
        submission.event,
        submission.request,
        submission.idempotency,
    )
    at = t.created_at
    headers, body = headers_bytes(request.headers), request.body
    row = (
        t.key,
        t.id,
        at,
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
        t.updated_at - at,
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
        None if t.due_at is None else t.due_at - at,
        t.deadline - at,
        t.expires_at - at,
        t.sweep_at - at,
        t.result_status,
        READING[t.reading],
        t.retry_of,
        event.sequence,
        KIND[event.kind],
        event.message,
        None if event.data is None else _json.encode(event.data).decode(),
        STATUS[event.status],
        event.created_at - at,
    )
    told = [spelling.delivery(delivery) for delivery in submission.deliveries]
    return Entry(submission, row, _spelled(common), told, len(headers) + len(body.inline or b""))


def arguments_of(entries: Sequence[Entry]) -> list[Any]:
    """Of `accept`, without deliveries."""
    places: dict[str, int] = {}
    which = [places.setdefault(entry.common, len(places) + 1) for entry in entries]
    return [*columns([entry.row for entry in entries], _WIDTH), which, f"[{','.join(places)}]"]


@lru_cache(KEPT)
def _spelled(common: Common) -> str:
    stored = msgspec.structs.replace(
        common,
        tenant=text(common.tenant),
        method=text(common.method),
        operation=text(common.operation),
        upstream=text(common.upstream),
        event_message=text(common.event_message),
    )
    return _json.encode(stored).decode()
