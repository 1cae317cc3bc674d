"""Between the core's values and rows. What the stored integers mean is in codes.py.

Writing happens on the caller's side, so that what cannot be spelled as a row fails there and not in the
middle of somebody else's group.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ...core.model import Body, Change, Event, Headers, Request, Result, Submission, Transaction
from ...core.status import Phase
from ..codes import (
    DIALECT,
    DIALECTS,
    FINISHED,
    KIND,
    KINDS,
    OUTCOME,
    OUTCOMES,
    PHASES,
    READINGS,
    STATUS,
    STATUSES,
)

Row = tuple[Any, ...]

_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()
_read_headers = msgspec.msgpack.Decoder(Headers)
_read_rows = msgspec.json.Decoder(list[list[Any]])


class Entry(msgspec.Struct, array_like=True):
    """A submission as rows."""

    transaction: Row
    event: Row
    request: Row
    claim: tuple[bytes, bytes, int] | None  # an idempotency key: scope, fingerprint, expires_at

    @property
    def key(self) -> int:
        return self.transaction[0]  # type: ignore[no-any-return]

    @property
    def created_at(self) -> int:
        return self.transaction[3]  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """Bytes of headers and body."""
        _, headers, _, body, _ = self.request
        return len(headers) + len(body or b"")

    @property
    def in_pieces(self) -> bool:
        """Whether the body is in pieces, which this now refers to."""
        return self.request[3] is None


class Step(msgspec.Struct, array_like=True):
    """A change as rows. `start` is what it is checked against, `end` what the row becomes."""

    key: int
    tenant: str
    start: tuple[int, int]  # sequence, attempt
    end: Row  # as in apply_changes
    reached: tuple[int, int]
    sweep_at: int | None  # None: as it was
    events: list[Row]
    results: list[Row]
    finishes: bool
    holds: bool  # SENDING afterwards


def entry_of(submission: Submission) -> Entry:
    t = submission.transaction
    request = submission.request
    transaction = (
        t.key,
        _id_bytes(t.id),
        t.tenant,
        t.created_at,
        t.updated_at,
        STATUS[t.status],
        OUTCOME[t.outcome],
        t.phase.value,
        t.sequence,
        t.attempt,
        t.doubtful,
        DIALECT[t.dialect],
        t.method,
        t.path,
        t.query,
        t.operation,
        t.upstream,
        t.priority,
        t.tracking_id,
        t.due_at,
        t.deadline,
        t.expires_at,
        t.sweep_at,
        t.result_status,
        t.reading.value,
        None if t.retry_of is None else _id_bytes(t.retry_of),
    )
    claim = submission.idempotency
    body = request.body
    return Entry(
        transaction,
        event_row(t.key, submission.event),
        (t.key, _msgpack.encode(request.headers), body.size, body.inline, claim.scope if claim else None),
        (claim.scope, claim.fingerprint, t.expires_at) if claim else None,
    )


def step_of(change: Change) -> Step:
    before, after, result = change.before, change.after, change.result
    status = STATUS[after.status]
    return Step(
        before.key,
        before.tenant,
        (before.sequence, before.attempt),
        (
            status,
            OUTCOME[after.outcome],
            after.phase.value,
            after.sequence,
            after.attempt,
            after.doubtful,
            after.updated_at,
            after.due_at,
            after.result_status,
        ),
        (after.sequence, after.attempt),
        None if after.sweep_at == before.sweep_at else after.sweep_at,
        [event_row(before.key, event) for event in change.events],
        [result_row(before.key, result)] if result else [],
        status >= FINISHED > STATUS[before.status],
        after.phase is Phase.SENDING,
    )


def event_row(key: int, event: Event) -> Row:
    data = None if event.data is None else _json.encode(event.data).decode()
    return (
        key,
        event.sequence,
        KIND[event.kind],
        event.message,
        data,
        STATUS[event.status],
        event.created_at,
    )


def result_row(key: int, result: Result) -> Row:
    body = result.body
    return (key, result.status, _msgpack.encode(result.headers), body.size, body.inline, result.attempt)


def read_rows(text: str) -> list[list[Any]]:
    """Rows that came as one JSON array of arrays."""
    return _read_rows.decode(text)


def read_transaction(row: Sequence[Any]) -> Transaction:
    return Transaction(
        key=row[0],
        id=_id_text(row[1]),
        tenant=row[2],
        created_at=row[3],
        updated_at=row[4],
        status=STATUSES[row[5]],
        outcome=None if row[6] is None else OUTCOMES[row[6]],
        phase=PHASES[row[7]],
        sequence=row[8],
        attempt=row[9],
        doubtful=row[10],
        dialect=DIALECTS[row[11]],
        method=row[12],
        path=row[13],
        query=row[14],
        operation=row[15],
        upstream=row[16],
        priority=row[17],
        tracking_id=row[18],
        due_at=row[19],
        deadline=row[20],
        expires_at=row[21],
        sweep_at=row[22],
        result_status=row[23],
        reading=READINGS[row[24]],
        retry_of=_id_text(row[25]) if row[25] else None,
    )


def read_event(row: Sequence[Any]) -> Event:
    data = None if row[4] is None else msgspec.json.decode(row[4])
    return Event(row[1], KINDS[row[2]], row[3], data, STATUSES[row[5]], row[6])


def read_request(row: Sequence[Any]) -> Request:
    return Request(_read_headers.decode(row[1]), Body(row[2], row[3]))


def read_result(row: Sequence[Any]) -> Result:
    return Result(row[1], _read_headers.decode(row[2]), Body(row[3], row[4]), row[5])


def _id_bytes(id: str) -> bytes:
    return bytes.fromhex(id.replace("-", ""))


def _id_text(digits: str) -> str:
    digits = digits.lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
