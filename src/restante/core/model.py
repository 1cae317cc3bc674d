"""A transaction and what belongs to it, as values.

Headers are pairs of raw bytes in the order they came, because an answer is kept byte for byte.
Paths and queries are text whose characters are the bytes on the wire (latin-1), never decoded further.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from .delivery import Delivery
from .status import Dialect, EventKind, Outcome, Phase, Reading, Status

Headers = tuple[tuple[bytes, bytes], ...]


class Event(msgspec.Struct, frozen=True):
    """One entry of the log. `sequence` counts from 1 within its transaction.

    `data` is a JSON object; None stands for "the upstream's answer itself", which is read from the
    result as long as that is kept (contract, *Dialect transaction*).
    """

    sequence: int
    kind: EventKind
    message: str
    data: dict[str, Any] | None
    status: Status
    created_at: int


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted request and where it stands. Moments are microseconds since 1970, UTC."""

    key: int  # the row's number; part of the id
    id: str  # a UUID
    tenant: str
    created_at: int
    updated_at: int
    status: Status = Status.PENDING
    outcome: Outcome | None = None
    phase: Phase = Phase.WAITING
    sequence: int = 1  # number of the last event; the version that a change is checked against
    attempt: int = 0  # attempts begun so far; the fence around a worker's changes
    doubtful: int = 0  # attempts that may have been sent and had no complete answer
    dialect: Dialect = Dialect.TASK
    method: str
    path: str
    query: str = ""
    operation: str
    upstream: str
    priority: int = 0
    tracking_id: str | None = None
    due_at: int | None  # when the runner should look at it: its turn, its next attempt, its lease's end
    deadline: int  # ended as failed if not done by then
    expires_at: int  # its result and its task handle are gone from then on
    sweep_at: int  # when the sweeper should look at it
    result_status: int | None = None  # the kept answer's HTTP status
    reading: Reading = Reading.UNREAD
    retry_of: str | None = None  # the id of the finished one that this one does again
    callbacks: tuple[str, ...] = ()  # the URLs that are told of its end: those that the request named

    @property
    def code(self) -> str:
        """The first eight hex digits of the id, upper case (seed 004)."""
        return self.id[:8].upper()

    @property
    def trigger_endpoint(self) -> str:
        """The path that started it, without the leading slash (seed 004)."""
        return self.path.removeprefix("/")


class Body(msgspec.Struct, frozen=True):
    """A message body. Small ones are here; larger ones are in chunks, `inline` is then None."""

    size: int
    inline: bytes | None = b""


class Request(msgspec.Struct, frozen=True):
    """What goes to the upstream, beside method, path and query."""

    headers: Headers
    body: Body


class Result(msgspec.Struct, frozen=True):
    """An upstream's complete answer, verbatim. `attempt` tells whose chunks hold a large body."""

    status: int
    headers: Headers
    body: Body
    attempt: int


class Claim(msgspec.Struct, frozen=True):
    """A transaction that this process, and no other, is to look at now."""

    transaction: Transaction
    request: Request | None  # None where it was not read along: the store has it


class Ration(msgspec.Struct, frozen=True):
    """Of one tenant so many may be here; and how many each has already, by tenant."""

    each: int
    has: Mapping[str, int]

    def left(self, tenant: str) -> int:
        """How many more there may be."""
        return self.each - self.has.get(tenant, 0)


class Load(msgspec.Struct, frozen=True):
    """What an upstream has to do: `running` attempts are under way, `queued` are all others not finished."""

    running: int = 0
    queued: int = 0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a process says of an upstream that it would share with others.

    `total` attempts may be under way there, in at most `processes` processes. `used` are under way in this
    one, or may be begun at any moment. With a `total` of 0 this one makes none any more.
    """

    total: int
    processes: int
    used: int


class IdempotencyKey(msgspec.Struct, frozen=True):
    """`scope` is the digest of tenant, caller and key; `fingerprint` that of the request (32 bytes each).
    `former`: how the same may have been kept before; nobody keeps it so any more."""

    scope: bytes
    fingerprint: bytes
    former: "tuple[IdempotencyKey, ...]" = ()


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What is written at accept, in one commit: the transaction, its first event, its request, deliveries."""

    transaction: Transaction
    event: Event
    request: Request
    idempotency: IdempotencyKey | None = None
    claim: bool = False  # this process takes it at once; nobody else is to be given it
    deliveries: tuple[Delivery, ...] = ()  # that tell of the event
    begun: "Change | None" = None  # its first attempt's mark, to be written with it


class Accepted(msgspec.Struct, frozen=True):
    """The store's answer to a submission. `replayed` names the first transaction's row instead; `begun`: the
    mark that came with it is written too."""

    transaction: Transaction
    replayed: bool = False
    begun: bool = False


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A transition as a value: applied only where the row still stands at `before`, else not at all."""

    before: Transaction
    after: Transaction
    events: tuple[Event, ...]
    result: Result | None = None
    deliveries: tuple[Delivery, ...] = ()  # that tell of the events
    request: Request | None = (
        None  # the request with the header fields that are kept from then on; None: as they were
    )


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of one transaction, for another store to take over; pieces of large bodies go apart.

    `events` are the first ones; where the last is not number `transaction.sequence`, more are to follow.
    `request` is None past the retention.
    """

    transaction: Transaction
    events: tuple[Event, ...]
    request: Request | None = None
    result: Result | None = None
    idempotency: IdempotencyKey | None = None


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which transactions to list. `after` and `before` are row keys (exclusive); moments inclusive."""

    tenant: str
    dialect: Dialect | None = None
    status: Status | None = None
    operation: str | None = None
    path: str | None = None
    path_prefix: str | None = None
    tracking_id: str | None = None
    created_from: int | None = None
    created_to: int | None = None
    ascending: bool = False
    limit: int = 50
    offset: int = 0
    after_key: int | None = None  # opaque cursors: the page goes on behind this row
