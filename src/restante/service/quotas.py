"""What is refused of a tenant, or for an upstream: too much a second, too much waiting, too much kept.

How much waits altogether and of a tenant is the store's own count. All else is looked after only where it is
set, so that a server without it pays nothing: what waits for an upstream and what is kept is counted in the
store again and again, in a small part of the time, and kept up in between with what this process does; what
other processes do is seen with the next count. A rate is each process's own.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping

from ..core.clock import SECOND
from ..core.errors import BodyTooLarge, QueueFull, StorageFull, TooManyQueued, TooManyRequests, TooMuchStored
from ..core.machine import TERMINAL
from ..core.model import Change, Headers, Submission, Transaction
from ..core.policy import Policy
from ..core.rate import Rate
from ..ports import Clock, Store
from .rounds import Rounds

BURST = SECOND
"""So much of its rate a tenant may ask for at one moment."""

TENANTS = 10_000
"""Rates that are kept at once; of more tenants, those that asked longest ago begin anew."""

WAITING_SECONDS = 30
"""What callers are told to wait while a queue is full. There is room as soon as one has ended, and others
wait for it, too: when that is nobody knows."""

KEPT_SECONDS = 300
"""What callers are told to wait while too much is kept: as soon as what expires now is seen to be gone. It is
no promise of room, which comes with the end of what was kept first."""

PAGE = 1000
"""Requests that are counted in one read."""

COUNT_SHARE = 100
"""A count that took so long is made again after so many times as long,"""

LEAST_REST, LONGEST_REST = SECOND, 300 * SECOND
"""but neither sooner nor later than that."""


class Tally:
    """Amounts as they were counted, and what has come and gone since; rather too much than too little."""

    def __init__(self) -> None:
        self._counted: Mapping[str, int] = {}
        self._since: Counter[str] = Counter()
        self._before: Counter[str] = Counter()  # what the count that is being made replaces
        self._counting = False

    def of(self, name: str) -> int:
        return self._counted.get(name, 0) + self._before[name] + self._since[name]

    def add(self, name: str, amount: int) -> None:
        (self._before if self._counting and amount < 0 else self._since)[name] += amount

    def begin(self) -> None:
        """It is being counted: what comes and goes from now on may be in the count, or not."""
        self._before.update(self._since)
        self._since, self._counting = Counter(), True

    def counted(self, amounts: Mapping[str, int]) -> None:
        self._counted, self._before, self._counting = amounts, Counter(), False


class Quotas:
    """`start` and `stop` it; `count` is one count of everything."""

    def __init__(self, *, store: Store, policy: Policy, clock: Clock) -> None:
        upstreams = policy.upstreams.values()
        self._store = store
        self._clock = clock
        self._most = policy.limits.max_queued
        self._most_queued_of = policy.limits.max_queued_per_tenant
        self._rate = policy.limits.rate_per_tenant
        self._rates: OrderedDict[str, Rate] = OrderedDict()
        self._most_kept_of = policy.limits.max_stored_per_tenant
        self._most_waiting = {one.name: one.max_queued for one in upstreams if one.max_queued is not None}
        self._most_kept = {one.name: one.max_stored for one in upstreams if one.max_stored is not None}
        self._waiting = Tally()  # by upstream
        self._kept = Tally()  # bytes, by upstream
        self._kept_of = Tally()  # bytes, by tenant
        self._rounds = Rounds(self.count, "what is kept is counted", clock=clock, rest=rest_after)
        self.any = self._rate is not None or self._counts_waiting or self._counts_kept
        """Whether there is anything to look after when something is accepted, or changes."""

    @property
    def _counts_waiting(self) -> bool:
        return bool(self._most_waiting)

    @property
    def _counts_kept(self) -> bool:
        return self._most_kept_of is not None or bool(self._most_kept)

    # -- what is asked

    def spend(self, tenant: str) -> None:
        """One more request of the tenant's; raises `TooManyRequests`."""
        if self._rate is None:
            return
        rate = self._rates.get(tenant)
        if rate is None:
            rate = self._rates[tenant] = Rate(self._rate, burst=BURST)
            if len(self._rates) > TENANTS:
                self._rates.popitem(last=False)
        else:
            self._rates.move_to_end(tenant)
        now = self._clock.now()
        moment = rate.take(now)
        if moment is not None:
            raise TooManyRequests(
                "You ask more often than you may (rate_per_tenant).",
                retry_after_seconds=seconds_until(moment, now),
            )

    def check(self, tenant: str, upstream: str, size: int = 0) -> None:
        """Raises where nothing more, of `size`, is accepted of the tenant, or for the upstream."""
        if self._store.queued >= self._most:
            raise QueueFull(
                f"{self._most} transactions are waiting (max_queued).", retry_after_seconds=WAITING_SECONDS
            )
        most = self._most_queued_of
        if most is not None and self._store.queued_of(tenant) >= most:
            raise TooManyQueued(
                f"{most} of your transactions are waiting (max_queued_per_tenant).",
                retry_after_seconds=WAITING_SECONDS,
            )
        if self.any:
            self._check_more(tenant, upstream, size)

    def _check_more(self, tenant: str, upstream: str, size: int) -> None:
        most = self._most_waiting.get(upstream)
        if most is not None and self._waiting.of(upstream) >= most:
            raise QueueFull(
                f"{most} transactions wait for this upstream (its max_queued).",
                retry_after_seconds=WAITING_SECONDS,
            )
        most = self._most_kept.get(upstream)
        for bound, setting in (
            (most, "the upstream's max_stored"),
            (self._most_kept_of, "max_stored_per_tenant"),
        ):
            if bound is not None and size > bound:  # waiting does not help
                raise BodyTooLarge(f"Alone this is over the {bound} bytes that may be kept ({setting}).")
        if most is not None and self._kept.of(upstream) + size > most:
            raise StorageFull(
                f"Of this upstream's, {most} bytes may be kept (its max_stored).",
                retry_after_seconds=KEPT_SECONDS,
            )
        if self._most_kept_of is not None and self._kept_of.of(tenant) + size > self._most_kept_of:
            raise TooMuchStored(
                f"Of yours, {self._most_kept_of} bytes may be kept (max_stored_per_tenant).",
                retry_after_seconds=KEPT_SECONDS,
            )

    # -- what happens

    def enter(self, submission: Submission) -> None:
        """It is about to be stored."""
        self._move(submission, 1)

    def withdraw(self, submission: Submission) -> None:
        """It was not stored."""
        self._move(submission, -1)

    def changed(self, change: Change) -> None:
        """It was applied."""
        if change.after.status in TERMINAL and change.before.status not in TERMINAL:
            self._waiting.add(change.after.upstream, -1)
        if change.result is not None:
            self._keep(change.after, size_of(change.result.headers, change.result.body.size))

    def _move(self, submission: Submission, sign: int) -> None:
        request = submission.request
        self._waiting.add(submission.transaction.upstream, sign)
        self._keep(submission.transaction, sign * size_of(request.headers, request.body.size))

    def _keep(self, transaction: Transaction, size: int) -> None:
        if self._counts_kept:
            self._kept.add(transaction.upstream, size)
            self._kept_of.add(transaction.tenant, size)

    # -- what is counted

    def start(self) -> None:
        if self._counts_waiting or self._counts_kept:
            self._rounds.start()

    async def stop(self) -> None:
        await self._rounds.stop()

    async def count(self) -> None:
        """Raises `StoreUnavailable`."""
        if self._counts_waiting:
            self._waiting.begin()
            loads = await self._store.loads()
            self._waiting.counted({name: load.running + load.queued for name, load in loads.items()})
        if self._counts_kept:
            await self._count_kept()

    async def _count_kept(self) -> None:
        self._kept.begin()
        self._kept_of.begin()
        by_upstream: Counter[str] = Counter()
        by_tenant: Counter[str] = Counter()
        after: int | None = 0
        while after is not None:
            found, after = await self._store.stored(after, PAGE)
            for (tenant, upstream), size in found.items():
                by_tenant[tenant] += size
                by_upstream[upstream] += size
        self._kept.counted(by_upstream)
        self._kept_of.counted(by_tenant)


def seconds_until(moment: int, now: int) -> int:
    """For `Retry-After`: whole ones, one at least."""
    return max(-(-(moment - now - 1) // SECOND), 1)


def rest_after(took: int) -> int:
    """How long nothing is counted after a count that took so long."""
    return min(max(took * COUNT_SHARE, LEAST_REST), LONGEST_REST)


def size_of(headers: Headers, body: int) -> int:
    """Bytes that are kept of a request, or an answer; of header fields about as many."""
    return body + sum(len(name) + len(value) for name, value in headers)
