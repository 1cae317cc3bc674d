"""The life of a delivery, as one table, and its transitions as values.

A delivery is one webhook to one endpoint. It is written in the commit that writes the event it tells of, and
goes on from there: `send` takes it for an attempt and lends it out until `due_at`; if nobody settles the
attempt by then, another one is made. The number of the attempt is the fence: only the latest settles
anything.
"""

from enum import StrEnum

import msgspec

from .clock import DAY, HOUR, MINUTE, SECOND
from .errors import MoveRefused

DELIVERY_BYTES = 16
"""Bytes of chance in a delivery's id."""

SCHEDULE = (0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, DAY)
"""How long to wait before each try (Standard Webhooks, "Deliverability")."""

JITTER = 0.2
"""By what part of itself a wait may be longer, so that many that failed at once do not come back at once."""

LONGEST_WAIT = DAY
"""A `Retry-After` beyond this is taken for this."""

GONE = 410


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Step(StrEnum):
    """What can be done to a delivery."""

    SEND = "send"  # an attempt starts
    ARRIVE = "arrive"  # the receiver took it
    MISS = "miss"  # it did not; there will be another attempt
    GIVE_UP = "give up"
    REPLAY = "replay"  # once more from the beginning, under the same id


TABLE: dict[State, dict[Step, State]] = {
    State.WAITING: {Step.SEND: State.SENDING, Step.GIVE_UP: State.DEAD},
    State.SENDING: {
        Step.SEND: State.SENDING,  # nobody settled the attempt before in time
        Step.ARRIVE: State.DELIVERED,
        Step.MISS: State.WAITING,
        Step.GIVE_UP: State.DEAD,
    },
    State.DELIVERED: {Step.REPLAY: State.WAITING},
    State.DEAD: {Step.REPLAY: State.WAITING},
}


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook to one endpoint. `number` is the store's own, 0 before it is stored."""

    number: int = 0
    id: str  # 32 hex digits; `webhook-id`, the same in every attempt
    tenant: str
    endpoint: str
    lane: str
    url: str | None = None  # where to, unless to where the endpoint is
    key: int = 0  # the transaction's row; 0: it tells of none
    transaction: str | None = None  # its id
    sequence: int = 0  # of the event
    body: bytes | None = None  # None: made of the event
    state: State = State.WAITING
    attempt: int = 0  # attempts begun so far; the fence
    tried: int = 0  # those that failed since it was last replayed: the place in the schedule
    due_at: int | None  # the next attempt, or the end of this one's lease
    created_at: int
    ended_at: int | None = None
    code: int | None = None  # that the last attempt was answered with


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one try. `answer` is the body's beginning."""

    number: int
    at: int
    duration: int  # microseconds
    carried: str
    reason: str
    code: int | None = None
    answer: bytes = b""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A transition as a value: applied only where the row still has `before`'s state and attempt."""

    before: Delivery
    after: Delivery
    attempt: Attempt | None = None


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries of an endpoint to list, the newest first. Moments inclusive."""

    endpoint: str
    state: State | None = None
    created_from: int | None = None
    created_to: int | None = None
    limit: int = 50
    after: str | None = None  # the id of the last one before


def send(delivery: Delivery, *, until: int) -> Delivery:
    """An attempt starts, lent out until then."""
    return msgspec.structs.replace(
        delivery, state=_advance(delivery, Step.SEND), attempt=delivery.attempt + 1, due_at=until
    )


def arrive(delivery: Delivery, attempt: Attempt) -> Progress:
    """The receiver answered 2xx."""
    return _ended(delivery, Step.ARRIVE, attempt.at + attempt.duration, attempt)


def miss(
    delivery: Delivery,
    attempt: Attempt,
    *,
    schedule: tuple[int, ...],
    chance: float,
    retry_after: int | None = None,
) -> Progress:
    """It did not arrive: the schedule says when it is tried again, or that it is not.

    `retry_after` (a span) is not undercut, up to LONGEST_WAIT.
    """
    now = attempt.at + attempt.duration
    tried = delivery.tried + 1
    if tried >= len(schedule):
        return give_up(msgspec.structs.replace(delivery, tried=tried), now=now, attempt=attempt)
    span = schedule[tried]
    wait = max(span + int(span * JITTER * chance), min(retry_after or 0, LONGEST_WAIT))
    after = msgspec.structs.replace(
        delivery, state=_advance(delivery, Step.MISS), tried=tried, due_at=now + wait, code=attempt.code
    )
    return Progress(before=delivery, after=after, attempt=attempt)


def give_up(delivery: Delivery, *, now: int, attempt: Attempt | None = None) -> Progress:
    """It will not be tried again, unless somebody replays it."""
    return _ended(delivery, Step.GIVE_UP, now, attempt)


def replay(delivery: Delivery, *, now: int) -> Progress:
    """Once more, with the whole schedule; raises `MoveRefused` for what is not over."""
    after = msgspec.structs.replace(
        delivery, state=_advance(delivery, Step.REPLAY), tried=0, due_at=now, ended_at=None
    )
    return Progress(before=delivery, after=after)


def _ended(delivery: Delivery, step: Step, now: int, attempt: Attempt | None) -> Progress:
    after = msgspec.structs.replace(
        delivery,
        state=_advance(delivery, step),
        due_at=None,
        ended_at=now,
        code=attempt.code if attempt else delivery.code,
    )
    return Progress(before=delivery, after=after, attempt=attempt)


def _advance(delivery: Delivery, step: Step) -> State:
    try:
        return TABLE[delivery.state][step]
    except KeyError:
        raise MoveRefused(delivery.state, step, "a delivery is replayed when it is over") from None
