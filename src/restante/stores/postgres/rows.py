"""Between the core's values and rows: what this store does in its own way. The rest is in ../spelling.py.

Writing happens on the caller's side, so that what cannot be spelled as a row fails there and not in the
middle of somebody else's group. Many rows travel as columns, one array each.

PostgreSQL's text holds every character but NUL, and a tracking id or a message may: so NUL is written as
two characters, and the first of these, where it stands for itself, as two as well. Equality and prefixes stay
what they are.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ...core.delivery import Progress
from ...core.feed import span_of
from ...core.model import Change
from ...core.status import Phase
from ..codes import FINISHED, STATE, STATUS
from ..spelling import Row as Row
from ..spelling import Spelling, end_of, headers_bytes, result_row
from ..spelling import read_request as read_request
from ..spelling import read_result as read_result

STEP_WIDTH = 16
EVENT_WIDTH = 7
RESULT_WIDTH = 6
DELIVERY_WIDTH = 16
HEADERS_WIDTH = 2
LANE, DUE_AT = 3, 12
PROGRESS_WIDTH = 8
FEED_WIDTH = 7
ATTEMPT_WIDTH = 8

_ESCAPE = "\x1a"


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
    deliveries: list[Row]
    headers: list[Row]  # of the request, from then on: key and bytes
    behind: int | None  # of its entry in the feed; None: it makes none
    finishes: bool
    holds: bool  # SENDING afterwards

    @property
    def row(self) -> Row:
        return (self.key, *self.start, *self.end, self.sweep_at, self.begins, self.behind, self.hold)


def columns(rows: Sequence[Row], width: int) -> list[list[Any]]:
    """Rows as columns."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def step_of(change: Change, hold: int | None) -> Step:
    before, after, result = change.before, change.after, change.result
    status = STATUS[after.status]
    span = span_of(change)
    return Step(
        before.id,
        before.key,
        before.tenant,
        (before.sequence, before.attempt),
        end_of(after),
        (after.sequence, after.attempt),
        None if after.sweep_at == before.sweep_at else after.sweep_at,
        after.attempt > before.attempt,
        hold,
        [spelling.event(before.key, event) for event in change.events],
        [result_row(before.key, result)] if result else [],
        [spelling.delivery(delivery) for delivery in change.deliveries],
        [(before.key, headers_bytes(change.request.headers))] if change.request else [],
        span[0] if span else None,
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
        deliveries=first.deliveries + second.deliveries,
        headers=second.headers or first.headers,
        behind=second.behind if first.behind is None else first.behind,
        finishes=first.finishes or second.finishes,
    )


def progress_row(progress: Progress) -> Row:
    before, after = progress.before, progress.after
    return (
        before.number,
        STATE[before.state],
        before.attempt,
        STATE[after.state],
        after.tried,
        after.due_at,
        after.ended_at,
        after.code,
    )


def text(value: str) -> str:
    """As PostgreSQL can keep it."""
    if _ESCAPE in value or "\0" in value:
        value = value.replace(_ESCAPE, _ESCAPE + "1").replace("\0", _ESCAPE + "0")
    return value


def read_text(value: str) -> str:
    if _ESCAPE in value:
        value = value.replace(_ESCAPE + "0", "\0").replace(_ESCAPE + "1", _ESCAPE)
    return value


spelling = Spelling(id=str, read_id=str, text=text, read_text=read_text)
read_transaction, read_event = spelling.read_transaction, spelling.read_event
