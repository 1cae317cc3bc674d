"""The promises the world makes to the service: what a store, a sender, a clock and so on must do.

Each is implemented once per technology (stores/, outbound/) and handed over by assembly. Store methods
take and give batches; what many callers ask at once is one commit or one read.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Protocol

import msgspec

from ..core.access import EVERYBODY
from ..core.clock import HOUR
from ..core.errors import KeyReused
from ..core.model import (
    Accepted,
    Change,
    Claim,
    Event,
    Load,
    Query,
    Ration,
    Request,
    Result,
    Submission,
    Transaction,
    Wanted,
)
from ..core.status import Reading
from .figures import Figures
from .keyring import Forgetting, Keyring
from .outbox import Outbox
from .sealing import Sealable
from .sender import Answer as Answer
from .sender import Line as Line
from .sender import ReadyLine as ReadyLine
from .sender import Sender as Sender
from .sender import SmallAnswer as SmallAnswer

REQUEST_CHUNKS = 0
"""The attempt number under which a request's own large body is kept in chunks."""

Told = Callable[[list[Accepted | BaseException]], None]
"""Takes what became of submissions, in their order: what was stored, or why nothing was."""

NUMBERS_GOOD = HOUR
"""How long a reserved number may be used. One that is not is lost."""

EVENTS = 1000
"""Events of one transaction that are read at once, unless fewer are asked for."""


class Clock(Protocol):
    """The time, in microseconds since 1970, and wake-ups."""

    def now(self) -> int: ...

    def call_at(self, moment: int, wake: Callable[[], None]) -> "Timer":
        """Calls `wake` once, on the event loop, at `moment` or soon after."""
        ...


class Timer(Protocol):
    def cancel(self) -> None: ...


class Chance(Protocol):
    """Randomness, so that a failing run can be replayed from its seed."""

    def bytes(self, count: int) -> bytes: ...

    def fraction(self) -> float:
        """In [0, 1)."""
        ...


class Measure(msgspec.Struct, frozen=True):
    """One number about a store; its unit is the name's last word. Alarming past its limit, if it has one:
    over it, or, of what there must be at least, under it."""

    name: str
    value: int
    limit: int | None = None
    least: bool = False

    @property
    def alarming(self) -> bool:
        if self.limit is None:
            return False
        return self.value < self.limit if self.least else self.value > self.limit


class StoreHealth(msgspec.Struct, frozen=True):
    """What whoever runs a store should know of it. Which measures there are is the store's."""

    measures: tuple[Measure, ...]


class Store(Outbox, Keyring, Forgetting, Sealable, Figures, Protocol):
    """What remembers. Every write that returns is on disk; a write that raises did not happen, unless it
    raises `WriteUnknown`: then it may have.

    Raises `StoreUnavailable` where no write can be made (disk full, too many writes waiting, closed). What a
    call that raises has claimed all the same, or begun to hold, is given back by the store itself, and soon.
    """

    @property
    def queued(self) -> int:
        """How many transactions are not finished."""
        ...

    def queued_of(self, tenant: str) -> int:
        """How many of the tenant's are not. Where others write as well, of both as far as is known here."""
        ...

    async def reserve_numbers(self, count: int) -> range:
        """Numbers for `key`, in increasing order, that nobody else is given within `NUMBERS_GOOD`."""
        ...

    def key(self, number: int, expires_at: int) -> int:
        """A row key that nobody else has, with a number that was reserved within `NUMBERS_GOOD`, for a
        transaction whose result expires at about that moment."""
        ...

    async def accept(self, submissions: Sequence[Submission]) -> list[Accepted | KeyReused]:
        """Writes each: transaction, first event, request, idempotency key, deliveries, all in one commit.

        Where the idempotency scope, or a former one, is known (and its transaction is not past `expires_at`
        at the submission's `created_at`): with the same fingerprint nothing is written and the answer is the
        first transaction, `replayed`, its `reading` set back to UNREAD; with another
        fingerprint the answer is a `KeyReused`.
        With `claim`, the transaction is held by this process as if `claim()` had returned it. With `begun`,
        that change is applied in the same commit, where the store can do so: then the answer is `begun`.
        """
        ...

    def offer(self, submissions: Sequence[Submission], told: Told) -> None:
        """`accept` for whoever does not wait in a task of its own.

        `told` is called on the event loop, once: soon after the commit, or at once where all are refused.
        A submission that cannot be kept is no harm to the others.
        """
        ...

    async def apply(self, changes: Sequence[Change]) -> list[bool]:
        """Applies each where the row still has `before`'s sequence and attempt: row, events, result,
        deliveries, the request's header fields.

        False: somebody was faster, nothing was written for that change. Where a call's only change begins
        an attempt of what another process has claimed meanwhile, `MoveRefused` is raised instead. What is
        no longer SENDING afterwards is no longer held by this process. Changes of one call, and of calls
        made one after the other without waiting, are applied in that order.
        """
        ...

    def offer_change(self, change: Change, told: Callable[[bool | BaseException], None]) -> None:
        """`apply` of one change for whoever does not wait in a task of its own.

        `told` is called on the event loop, once, with what `apply` would have returned or raised: soon after
        the commit, or at once where it is refused.
        """
        ...

    async def look(self, ids: Sequence[str], *, tenant: str = EVERYBODY) -> list[Transaction | None]:
        """The transactions with these ids, however malformed an id may be. Other tenants' are not read: to
        find out that they are theirs takes as long as to find nothing."""
        ...

    async def requests(self, keys: Sequence[int]) -> list[Request | None]: ...

    async def results(self, keys: Sequence[int]) -> list[Result | None]: ...

    async def events(self, keys: Sequence[int], *, after: int = 0, limit: int = EVENTS) -> list[list[Event]]:
        """Of each transaction its events behind sequence `after`, in order, at most `limit` each."""
        ...

    async def write_chunk(self, key: int, attempt: int, position: int, data: bytes) -> None:
        """Stores one piece of a large body, in a commit that comes before the one that refers to it."""
        ...

    async def read_chunk(self, key: int, attempt: int, position: int) -> bytes | None: ...

    async def drop_chunks(self, key: int, attempt: int) -> None:
        """Removes a body that nothing refers to, a bounded number of pieces per commit."""
        ...

    async def claim(
        self, upstream: str, limit: int, now: int, *, ration: Ration | None = None, paused: bool = False
    ) -> list[Claim]:
        """Up to `limit` transactions of `upstream` that are due and that nobody holds; now held here.

        The places are shared over the tenants that have something due, and what one leaves goes to the
        others. Where there are more tenants than places, those that were given none, or less, are the first
        in this process's next claim. Of one tenant they come by priority (higher first), then by `due_at`,
        then by key; a priority does not reach across tenants. With a `ration`, a tenant is given no more
        than that. Fewer than `limit`: no more is due, of those who may have it. A claimed
        transaction in phase SENDING is one whose lease has lapsed. Of a paused upstream: only with `paused`.
        """
        ...

    async def next_due(self, upstream: str, now: int) -> int | None:
        """The earliest `due_at` after `now`, or None."""
        ...

    async def renew(self, keys: Sequence[int], until: int) -> None:
        """Moves the lease's end (`due_at`) of those that are still SENDING."""
        ...

    async def release(self, keys: Sequence[int]) -> None:
        """Gives up the hold on these, without a change."""
        ...

    def reading_token(self) -> int:
        """Names one reservation, another one than all before."""
        ...

    async def reserve_reading(self, key: int, token: int | None = None) -> int | None:
        """Takes the one reading: `reading` is RESERVED where it was UNREAD, and the answer is the token of
        this reservation: the given one, or a new one. None where it was something else. To ask again with the
        same token is no error. No event, no version.
        """
        ...

    async def settle_reading(self, key: int, token: int, after: Reading) -> bool:
        """Ends the reservation that has this token: `reading` is `after`. False, and nothing written, where
        it is not reserved, or by another one (after a replay, see `accept`)."""
        ...

    async def find(self, query: Query) -> list[Transaction]: ...

    async def lapsed(self, now: int, limit: int) -> list[Transaction]:
        """Up to `limit` transactions whose `sweep_at` is not after `now`: first what is not finished, then
        what has ended, each from the earliest (rows from before there were partitions: all in one line). What
        has ended is left out where `tidy` lets go of it."""
        ...

    async def next_lapse(self, until: int) -> int | None:
        """The earliest `sweep_at` of what is not finished, or None where all are after `until`."""
        ...

    async def tidy(self, now: int) -> None:
        """Lets go of what has ended and is kept no longer, where the store does that by itself, and gets
        ready for what is to come. Called every minute, beside everything else. Raises `StoreUnavailable`.
        """
        ...

    async def purge(self, results_of: Sequence[Transaction], forget: Sequence[Transaction]) -> None:
        """Removes requests, results and idempotency keys of the first, everything of the second.

        Those of the first get `sweep_at` from the given (already replaced) values.
        """
        ...

    async def pause(self, upstream: str) -> None:
        """From now on nothing of it is claimed, by any process, until it is resumed. Again is no error."""
        ...

    async def resume(self, upstream: str) -> None: ...

    async def paused(self) -> frozenset[str]:
        """The upstreams that are paused."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes may be at work on the same data."""
        ...

    async def alone(self) -> bool:
        """Whether nobody else is at work on the same data. What those held that are gone is free then."""
        ...

    async def divide(self, wanted: Mapping[str, Wanted]) -> dict[str, int]:
        """Of each upstream how many attempts this process may have under way, until it asks again.

        It is an even share among the processes that ask, as soon as the others have let go of it: what all of
        them use and may begin is never more than `total`. Fewer than `used`: as many may end by themselves,
        and nothing more be begun; until that was said in another call, nobody else is given them. Who has
        not asked for as long as a lease has no share any more.
        """
        ...

    async def loads(self) -> dict[str, Load]:
        """What each upstream has to do, over all processes; none where there is nothing."""
        ...

    async def stored(self, after: int, limit: int) -> tuple[dict[tuple[str, str], int], int | None]:
        """Bytes of requests and their results, by tenant and upstream, of the next `limit` behind the row
        key `after`; and the key behind which it goes on, None at the end. Header fields count for about as
        much as they are long."""
        ...

    def count(self, committed: Callable[[int], None]) -> None:
        """From now on, `committed` is told of each commit of submissions or changes how many it was of."""
        ...

    def listen(
        self,
        *,
        work: Callable[[str | None, int], None],
        changed: Callable[[str | None], None],
        pauses: Callable[[], None],
        post: Callable[[str | None, int], None],
        endpoints: Callable[[], None],
        keys: Callable[[], None],
    ) -> None:
        """From now on, what other processes on the same data do is told here, on the event loop.

        `work(upstream, moment)`: something that nobody holds is due at that moment. `changed(id)`: a
        transaction went on. `pauses()`: an upstream was paused or resumed. `post(lane, moment)`: a delivery
        is due at that moment. `endpoints()`: one was made, changed or removed. `keys()`: an access key was
        revoked. Each may be told late, twice or never; so now and then all are called, with None: whoever
        cares looks for himself. A store that one process has alone tells nothing.
        """
        ...

    async def ping(self) -> None:
        """Raises `StoreUnavailable` where new work would be refused now, or nothing could be written."""
        ...

    async def health(self, now: int) -> StoreHealth:
        """A cheap look. Raises `StoreUnavailable`."""
        ...

    async def close(self) -> None: ...


class Bell(Protocol):
    """How the service tells the runner, in process, that there is work. Never blocks."""

    def reserve(self, upstream: str, tenant: str) -> bool:
        """A place in memory for a fresh transaction of `upstream`; False: let it wait in the store."""
        ...

    def begin(self, transaction: Transaction, request: Request) -> Change | None:
        """The mark of the first attempt at a transaction that has a place, where it can be sent as soon as
        that is on disk; all it needs is kept for it. None: it has to wait."""
        ...

    def deliver(self, transaction: Transaction, claim: Claim | None, *, begun: bool = False) -> None:
        """Uses the transaction's place, or gives it back (None). `begun`: its mark is on disk."""
        ...

    def ring(self, upstream: str, due_at: int, tenant: str | None = None) -> None:
        """Something of `upstream` in the store, of that tenant's or anybody's, is due at that moment."""
        ...

    def pause(self, upstreams: Set[str]) -> None:
        """These, and no others, are paused from now on."""
        ...
