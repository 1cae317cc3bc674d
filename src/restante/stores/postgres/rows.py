"""Between the core's values and rows. What the stored integers mean is in codes.py.

Writing happens on the caller's side, so that what cannot be spelled as a row fails there and not in the
middle of somebody else's group. Many rows travel as columns, one array each.

PostgreSQL's text holds every character but NUL, and a tracking id or a message may: so NUL is written as
two characters, and the first of these, where it stands for itself, as two as well. Equality and prefixes stay
what they are.
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

ENTRY_WIDTH = 38
STEP_WIDTH = 15
EVENT_WIDTH = 7
RESULT_WIDTH = 6

_ESCAPE = "\x1a"
_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()
_read_headers = msgspec.msgpack.Decoder(Headers)


class Entry(msgspec.Struct):
    """A submission as a row of `accept`, whose last column is its hold."""

    submission: Submission
    row: Row
    size: int  # bytes of headers and body

    @property
    def key(self) -> int:
        return self.submission.transaction.key

    @property
    def scope(self) -> bytes | None:
        claim = self.submission.idempotency
        return claim.scope if claim else None


class Step(msgspec.Struct):
    """A change as rows. `start` is what it is checked against, `reached` where it leads."""

    id: str
    key: int
    tenant: str
    start: tuple[int, int]  # sequence, attempt
    end: Row  # the columns of apply_changes from status to result_status
    reached: tuple[int, int]
    sweep_at: int | None  # None: as it was
    begins: bool  # an attempt begins in it
    hold: int | None  # by which this process holds it
    events: list[Row]
    results: list[Row]
    finishes: bool
    holds: bool  # SENDING afterwards

    @property
    def row(self) -> Row:
        return (self.key, *self.start, *self.end, self.sweep_at, self.begins, self.hold)


def columns(rows: Sequence[Row], width: int) -> list[list[Any]]:
    """Rows as columns."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def entry_of(submission: Submission, hold: int | None) -> Entry:
    t, event, request = submission.transaction, submission.event, submission.request
    claim = submission.idempotency
    headers, body = _msgpack.encode(request.headers), request.body
    row = (
        t.key,
        t.id,
        text(t.tenant),
        t.created_at,
        t.updated_at,
        STATUS[t.status],
        OUTCOME[t.outcome],
        t.phase.value,
        t.sequence,
        t.attempt,
        t.doubtful,
        DIALECT[t.dialect],
        text(t.method),
        text(t.path),
        text(t.query),
        text(t.operation),
        text(t.upstream),
        t.priority,
        None if t.tracking_id is None else text(t.tracking_id),
        t.due_at,
        t.deadline,
        t.expires_at,
        t.sweep_at,
        t.result_status,
        t.reading.value,
        t.retry_of,
        *event_row(t.key, event)[1:],
        headers,
        body.size,
        body.inline,
        claim.scope if claim else None,
        claim.fingerprint if claim else None,
        hold,
    )
    return Entry(submission, row, len(headers) + len(body.inline or b""))


def step_of(change: Change, hold: int | None) -> Step:
    before, after, result = change.before, change.after, change.result
    status = STATUS[after.status]
    return Step(
        before.id,
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
        after.attempt > before.attempt,
        hold,
        [event_row(before.key, event) for event in change.events],
        [result_row(before.key, result)] if result else [],
        status >= FINISHED > STATUS[before.status],
        after.phase is Phase.SENDING,
    )


def joined(first: Step, second: Step) -> Step:
    """Both as one, where the second starts from what the first leads to."""
    return msgspec.structs.replace(
        second,
        start=first.start,
        sweep_at=first.sweep_at if second.sweep_at is None else second.sweep_at,
        begins=first.begins or second.begins,
        events=first.events + second.events,
        results=first.results + second.results,
        finishes=first.finishes or second.finishes,
    )


def event_row(key: int, event: Event) -> Row:
    data = None if event.data is None else _json.encode(event.data).decode()
    return (
        key,
        event.sequence,
        KIND[event.kind],
        text(event.message),
        data,
        STATUS[event.status],
        event.created_at,
    )


def result_row(key: int, result: Result) -> Row:
    body = result.body
    return (key, result.status, _msgpack.encode(result.headers), body.size, body.inline, result.attempt)


def read_transaction(row: Sequence[Any]) -> Transaction:
    """From the columns of the statement `transactions`."""
    return Transaction(
        key=row[0],
        id=row[1],
        tenant=read_text(row[2]),
        created_at=row[3],
        updated_at=row[4],
        status=STATUSES[row[5]],
        outcome=None if row[6] is None else OUTCOMES[row[6]],
        phase=PHASES[row[7]],
        sequence=row[8],
        attempt=row[9],
        doubtful=row[10],
        dialect=DIALECTS[row[11]],
        method=read_text(row[12]),
        path=read_text(row[13]),
        query=read_text(row[14]),
        operation=read_text(row[15]),
        upstream=read_text(row[16]),
        priority=row[17],
        tracking_id=None if row[18] is None else read_text(row[18]),
        due_at=row[19],
        deadline=row[20],
        expires_at=row[21],
        sweep_at=row[22],
        result_status=row[23],
        reading=READINGS[row[24]],
        retry_of=row[25],
    )


def read_event(row: Sequence[Any]) -> Event:
    data = None if row[4] is None else msgspec.json.decode(row[4])
    return Event(row[1], KINDS[row[2]], read_text(row[3]), data, STATUSES[row[5]], row[6])


def read_request(row: Sequence[Any]) -> Request:
    return Request(_read_headers.decode(row[1]), Body(row[2], row[3]))


def read_result(row: Sequence[Any]) -> Result:
    return Result(row[1], _read_headers.decode(row[2]), Body(row[3], row[4]), row[5])


def text(value: str) -> str:
    """As PostgreSQL can keep it."""
    if _ESCAPE in value or "\0" in value:
        value = value.replace(_ESCAPE, _ESCAPE + "1").replace("\0", _ESCAPE + "0")
    return value


def read_text(value: str) -> str:
    if _ESCAPE in value:
        value = value.replace(_ESCAPE + "0", "\0").replace(_ESCAPE + "1", _ESCAPE)
    return value
