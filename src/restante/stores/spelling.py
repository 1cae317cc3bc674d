"""How the core's values are spelled as rows, in every store. What the integers mean is in codes.py.

Stores differ in two things only: how an id is kept, and what their text can hold.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..core.delivery import Attempt, Delivery
from ..core.model import Body, Event, Headers, Request, Result, Transaction
from .codes import (
    DIALECT,
    DIALECTS,
    KIND,
    KINDS,
    OUTCOME,
    OUTCOMES,
    PHASE,
    PHASES,
    READING,
    READINGS,
    STATE,
    STATES,
    STATUS,
    STATUSES,
)

Row = tuple[Any, ...]

_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()
_read_headers = msgspec.msgpack.Decoder(Headers)


class Spelling:
    """One store's way to spell. Each function goes with the one that reads what it gives."""

    def __init__(
        self,
        *,
        id: Callable[[str], Any],
        read_id: Callable[[Any], str],
        text: Callable[[str], str],
        read_text: Callable[[str], str],
    ) -> None:
        self._id, self._read_id = id, read_id
        self._text, self._read_text = text, read_text

    def transaction(self, t: Transaction) -> Row:
        """The columns of the statement `transactions`."""
        text = self._text
        return (
            t.key,
            self._id(t.id),
            text(t.tenant),
            t.created_at,
            t.updated_at,
            STATUS[t.status],
            OUTCOME[t.outcome],
            PHASE[t.phase],
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
            READING[t.reading],
            None if t.retry_of is None else self._id(t.retry_of),
            text("\n".join(t.callbacks)) if t.callbacks else None,  # no URL holds the end of a line
        )

    def read_transaction(self, row: Sequence[Any]) -> Transaction:
        text = self._read_text
        return Transaction(
            key=row[0],
            id=self._read_id(row[1]),
            tenant=text(row[2]),
            created_at=row[3],
            updated_at=row[4],
            status=STATUSES[row[5]],
            outcome=None if row[6] is None else OUTCOMES[row[6]],
            phase=PHASES[row[7]],
            sequence=row[8],
            attempt=row[9],
            doubtful=row[10],
            dialect=DIALECTS[row[11]],
            method=text(row[12]),
            path=text(row[13]),
            query=text(row[14]),
            operation=text(row[15]),
            upstream=text(row[16]),
            priority=row[17],
            tracking_id=None if row[18] is None else text(row[18]),
            due_at=row[19],
            deadline=row[20],
            expires_at=row[21],
            sweep_at=row[22],
            result_status=row[23],
            reading=READINGS[row[24]],
            retry_of=self._read_id(row[25]) if row[25] else None,
            callbacks=tuple(text(row[26]).split("\n")) if row[26] else (),
        )

    def delivery(self, delivery: Delivery) -> Row:
        """All of it but its number."""
        text = self._text
        return (
            self._id(delivery.id),
            text(delivery.tenant),
            delivery.endpoint,
            text(delivery.lane),
            None if delivery.url is None else text(delivery.url),
            delivery.key,
            None if delivery.transaction is None else self._id(delivery.transaction),
            delivery.sequence,
            delivery.body,
            STATE[delivery.state],
            delivery.attempt,
            delivery.tried,
            delivery.due_at,
            delivery.created_at,
            delivery.ended_at,
            delivery.code,
        )

    def read_delivery(self, row: Sequence[Any]) -> Delivery:
        """From its number and the same columns."""
        text = self._read_text
        return Delivery(
            number=row[0],
            id=row[1],
            tenant=text(row[2]),
            endpoint=row[3],
            lane=text(row[4]),
            url=None if row[5] is None else text(row[5]),
            key=row[6],
            transaction=self._read_id(row[7]) if row[7] else None,
            sequence=row[8],
            body=row[9],
            state=STATES[row[10]],
            attempt=row[11],
            tried=row[12],
            due_at=row[13],
            created_at=row[14],
            ended_at=row[15],
            code=row[16],
        )

    def attempt(self, delivery: int, attempt: Attempt) -> Row:
        return (
            delivery,
            attempt.number,
            attempt.at,
            attempt.duration,
            attempt.carried,
            self._text(attempt.reason),
            attempt.code,
            attempt.answer,
        )

    def read_attempt(self, row: Sequence[Any]) -> Attempt:
        return Attempt(
            number=row[1],
            at=row[2],
            duration=row[3],
            carried=row[4],
            reason=self._read_text(row[5]),
            code=row[6],
            answer=row[7],
        )

    def event(self, key: int, event: Event) -> Row:
        data = None if event.data is None else _json.encode(event.data).decode()
        return (
            key,
            event.sequence,
            KIND[event.kind],
            self._text(event.message),
            data,
            STATUS[event.status],
            event.created_at,
        )

    def read_event(self, row: Sequence[Any]) -> Event:
        data = None if row[4] is None else msgspec.json.decode(row[4])
        return Event(row[1], KINDS[row[2]], self._read_text(row[3]), data, STATUSES[row[5]], row[6])


def end_of(after: Transaction) -> Row:
    """What a change leads to: the columns of `apply_changes` from status to result_status."""
    return (
        STATUS[after.status],
        OUTCOME[after.outcome],
        after.phase.value,
        after.sequence,
        after.attempt,
        after.doubtful,
        after.updated_at,
        after.due_at,
        after.result_status,
    )


def headers_bytes(headers: Headers) -> bytes:
    return _msgpack.encode(headers)


def result_row(key: int, result: Result) -> Row:
    body = result.body
    return (key, result.status, headers_bytes(result.headers), body.size, body.inline, result.attempt)


def read_request(row: Sequence[Any]) -> Request:
    return Request(_read_headers.decode(row[1]), Body(row[2], row[3]))


def read_result(row: Sequence[Any]) -> Result:
    return Result(row[1], _read_headers.decode(row[2]), Body(row[3], row[4]), row[5])
