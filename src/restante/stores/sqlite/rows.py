"""Between the core's values and rows: what this store does in its own way. The rest is in ../spelling.py.

Writing happens on the caller's side, so that what cannot be spelled as a row fails there and not in the
middle of somebody else's group.
"""

from typing import Any

import msgspec

from ...core.feed import span_of
from ...core.model import Change, Submission
from ...core.status import Phase
from ..codes import FINISHED, STATUS
from ..spelling import Row as Row
from ..spelling import Spelling, end_of, headers_bytes, result_row
from ..spelling import read_request as read_request
from ..spelling import read_result as read_result

_read_rows = msgspec.json.Decoder(list[list[Any]])


class Entry(msgspec.Struct, array_like=True):
    """A submission as rows."""

    transaction: Row
    event: Row
    request: Row
    deliveries: list[Row]
    claim: tuple[bytes, bytes, int] | None  # an idempotency key: scope, fingerprint, expires_at
    former: list[tuple[bytes, bytes]]  # scopes and fingerprints under which it may be kept already
    begun: tuple[list[Row], list[Row]] | None  # its first attempt's events, and entries in the feed

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
    deliveries: list[Row]
    feed: list[Row]
    finishes: bool
    holds: bool  # SENDING afterwards
    headers: list[Row]  # of the request, from then on: bytes and key


def entry_of(submission: Submission) -> Entry:
    t = submission.transaction
    request = submission.request
    claim = submission.idempotency
    body = request.body
    begun = submission.begun
    deliveries = submission.deliveries if begun is None else submission.deliveries + begun.deliveries
    return Entry(
        spelling.transaction(t if begun is None else begun.after),
        spelling.event(t.key, submission.event),
        (t.key, headers_bytes(request.headers), body.size, body.inline, claim.scope if claim else None),
        [spelling.delivery(delivery) for delivery in deliveries] if deliveries else [],
        (claim.scope, claim.fingerprint, t.expires_at) if claim else None,
        [(one.scope, one.fingerprint) for one in claim.former] if claim else [],
        None if begun is None else ([spelling.event(t.key, one) for one in begun.events], feed_rows(begun)),
    )


def step_of(change: Change) -> Step:
    before, after, result = change.before, change.after, change.result
    status = STATUS[after.status]
    return Step(
        before.key,
        before.tenant,
        (before.sequence, before.attempt),
        end_of(after),
        (after.sequence, after.attempt),
        None if after.sweep_at == before.sweep_at else after.sweep_at,
        [spelling.event(before.key, event) for event in change.events],
        [result_row(before.key, result)] if result else [],
        [spelling.delivery(delivery) for delivery in change.deliveries],
        feed_rows(change),
        status >= FINISHED > STATUS[before.status],
        after.phase is Phase.SENDING,
        [(headers_bytes(change.request.headers), before.key)] if change.request else [],
    )


def feed_rows(change: Change) -> list[Row]:
    """The change's entry in the feed, if it makes one."""
    span = span_of(change)
    if span is None:
        return []
    before = change.before
    return [(before.tenant, before.key, _id_bytes(before.id), *span, change.after.updated_at)]


def read_rows(text: str) -> list[list[Any]]:
    """Rows that came as one JSON array of arrays."""
    return _read_rows.decode(text)


def _id_bytes(id: str) -> bytes:
    return bytes.fromhex(id.replace("-", ""))


def id_text(digits: str) -> str:
    digits = digits.lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


spelling = Spelling(id=_id_bytes, read_id=id_text, text=str, read_text=str)
read_transaction, read_event = spelling.read_transaction, spelling.read_event
