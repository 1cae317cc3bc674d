"""What everybody notes: one entry for each thing that was seen, with when it began and when it was over.

Moments are seconds since 1970 by one clock, which no fault touches. An entry whose `code` is None
was never answered, or not to its end: nobody knows what became of it. A journal is a file of JSON lines, one
per entry, written when the thing is over, and what an entry is is its first field, `entry`.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2s
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ..core.headers import HOP_BY_HOP

CLOCK = "clock jumps"
"""The kind of fault whose `amount` is by how many seconds the servers' clocks are off from then on."""

Fields = tuple[tuple[str, str], ...]
"""Header fields in their order, names in lower case, without those that belong to the way (`said`)."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, tag=str.lower, tag_field="entry"):
    """`at` is when it began, `until` when it was over."""

    at: float
    until: float


class Submit(Entry, frozen=True, kw_only=True):
    """A client sent a request that is to be run. `op` is the one thing it is about, whoever sends it and how
    often: it stands in the path, so that everybody's journals can be joined."""

    node: int
    tenant: str
    op: int
    kind: str  # which route
    method: str
    target: str  # as the upstream is to see it
    digest: str  # of the body
    key: str | None = None  # the idempotency key
    fields: Fields = ()  # as it was sent
    code: int | None = None
    id: str | None = None
    replayed: bool = False
    call: int | None = None  # where the upstream's own answer came at once (`Prefer: wait`): of which call
    answer: str | None = None  # and the digest of its body
    answered: Fields = ()  # and with which header fields


class Look(Entry, frozen=True, kw_only=True):
    """A client asked about a transaction, or read a result. `tenant` is who asked."""

    node: int
    tenant: str
    id: str
    what: str  # status, result (the task's own: an error is read once), native, kept (never consuming)
    code: int | None = None
    word: str | None = None  # `Restante-Status`
    status: str | None = None  # of the transaction, where the answer told
    sequence: int | None = None
    call: int | None = None  # the upstream's number of the call whose answer this is
    digest: str | None = None  # of the body
    fields: Fields = ()  # of a result, as it came


class Act(Entry, frozen=True, kw_only=True):
    """A client did something to a transaction: `cancel`, or `retry`, which makes another one."""

    node: int
    tenant: str
    id: str
    what: str
    code: int | None = None
    made: str | None = None


class Call(Entry, frozen=True, kw_only=True):
    """A request that reached the upstream. `executed`: its work was done, once for each `number`."""

    number: int
    op: int
    transaction: str
    attempt: int
    key: str | None
    method: str
    target: str
    digest: str  # of the request's body
    fields: Fields = ()  # as it came
    does: str  # what the upstream was up to
    executed: bool
    code: int | None = None  # what it answered; None where it hung up or was left
    answer: str | None = None  # digest of the body that it meant to send
    answered: Fields = ()  # with which header fields
    whole: bool = False  # every byte of the answer was handed over
    defers: bool = False  # it said that it will report the end


class Question(Entry, frozen=True, kw_only=True):
    """A look-up that reached the upstream, and whether it said that the work was done."""

    op: int
    transaction: str
    found: bool
    answer: str | None = None  # digest of what it said of it
    code: int = 200


class Reported(Entry, frozen=True, kw_only=True):
    """The upstream told a server of work it had deferred."""

    number: int  # of the call that was deferred
    op: int
    transaction: str
    attempt: int  # whose token it had
    says: str  # completed, failed, or info: it goes on
    stale: bool = False  # with the token of an attempt that another one had followed
    status: int | None = None  # the code of the result that it told
    answer: str | None = None  # digest of that result's body
    answered: Fields = ()  # and its header fields
    code: int | None = None  # what the server answered


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a transaction's log, as the server tells it."""

    sequence: int
    event: str
    status: str
    attempt: int | None = None
    settled: bool = False  # by look-up
    defers: bool = False  # it says that the upstream will report the end
    moment: float = 0.0  # by the server's clock


class Streamed(Entry, frozen=True, kw_only=True):
    """A client followed a transaction's events live, behind number `after`, until it or the server left."""

    node: int
    tenant: str
    id: str
    after: int
    code: int | None = None
    events: tuple[Told, ...] = ()


class Receipt(Entry, frozen=True, kw_only=True):
    """A webhook that reached a receiver."""

    receiver: str
    id: str
    type: str
    transaction: str | None
    sequence: int | None
    previous: int | None
    code: int | None  # what it was answered
    status: str | None = None  # of the transaction, as it tells
    refused: str | None = None  # why its signature was not believed


class Hit(Entry, frozen=True, kw_only=True):
    """A fault. `node` is whom it hit, None where that is not one of the servers."""

    kind: str
    node: int | None = None
    amount: float = 0.0  # seconds of a clock jump; connections that were cut


class Record(Entry, frozen=True, kw_only=True):
    """A transaction as the server tells of it at the end. Moments by the server's clock."""

    tenant: str
    id: str
    op: int
    kind: str
    status: str
    outcome: str | None
    attempt: int
    retry_of: str | None
    created: float
    expires: float
    deadline: float = 0.0
    forgotten: float | None = None  # from when on nothing of it need be there (`history`)
    sequence: int
    events: tuple[Told, ...]


class Endpoint(Entry, frozen=True, kw_only=True):
    """Where webhooks go. `steady`: it was on all the time, so nothing may be missing."""

    tenant: str
    id: str
    receiver: str
    every: bool  # every event; else ends only
    steady: bool


class Delivery(Entry, frozen=True, kw_only=True):
    """A delivery as the server tells of it at the end."""

    endpoint: str
    id: str
    transaction: str | None
    sequence: int | None
    state: str
    attempts: int


class Fed(Entry, frozen=True, kw_only=True):
    """An event as the tenant's feed tells of it, in the feed's order."""

    tenant: str
    id: str
    sequence: int


class Kept(Entry, frozen=True, kw_only=True):
    """Whether bytes of a transaction's request or result are still in the store when all is over, past its
    retention; `at` is when the last server ended."""

    id: str
    bytes: bool
    row: bool = False  # whether the store still knows the transaction itself


class Scanned(Entry, frozen=True, kw_only=True):
    """A file that was read when all was over: `planted`, whether anything in it is of a request or a result
    and must not be."""

    path: str
    planted: bool


AnyEntry = (
    Submit
    | Look
    | Act
    | Call
    | Question
    | Reported
    | Streamed
    | Receipt
    | Hit
    | Record
    | Endpoint
    | Delivery
    | Fed
    | Kept
    | Scanned
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AnyEntry).decode


class Journal:
    """Entries as they come, in memory for the checker and, with a `path`, in a file for people. `now` is the
    clock of all who note in it: seconds since 1970."""

    def __init__(self, path: Path | None, *, now: Callable[[], float] = time.time) -> None:
        self.entries: list[AnyEntry] = []
        self.now = now
        self._file = None if path is None else path.open("wb", buffering=0)

    def note(self, entry: AnyEntry) -> None:
        """It is with the system when this returns, so a kill of this process loses none."""
        self.entries.append(entry)
        if self._file is not None:
            self._file.write(_encode(entry) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()


def read(path: Path) -> Iterator[AnyEntry]:
    """The entries of a journal's file."""
    with path.open("rb") as file:
        for line in file:
            yield _decode(line)


UNSAID = {name.decode() for name in HOP_BY_HOP} | {
    "accept-encoding",
    "content-length",
    "content-security-policy",
    "host",
    "idempotency-key",
    "idempotent-replayed",
    "prefer",
    "preference-applied",
    "traceparent",
    "tracestate",
    "vary",
    "x-content-type-options",
}
"""What a server on the way says itself, and upstream and clients here do not; and the key, which stands
beside the fields."""


def said(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """What of a message's header fields must come as it was sent."""
    named = ((name.decode("latin-1").lower(), text.decode("latin-1")) for name, text in fields)
    return tuple(one for one in named if one[0] not in UNSAID and not one[0].startswith("restante-"))


def digest(data: bytes) -> str:
    """Stands for a body in journals."""
    return blake2s(data, digest_size=12).hexdigest()
