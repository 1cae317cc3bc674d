"""One upstream's lane: what is ready, how many attempts run, and when to look into the store again.

A fresh transaction comes straight from the accept that stored it, through a place reserved in memory.
When the places are taken it waits in the store, and the lane claims pages of what is due as it drains;
from then on fresh ones queue up behind. Nothing polls: the lane wakes by a delivery, by an attempt that
ended, or by one timer set to the next moment at which something is due.

Tenants take turns, in the store's claims and among what is ready here. Little is held ready beyond what may
be under way: whoever comes into the store behind a long queue is reached by the next claim, and that is made
as soon as half of what is ready has begun.

Where a tenant may have only so many under way, no more of his than that are in memory at all: the others wait
in the store, where they are in nobody's way. A tenant who had no room is looked for again when he has.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from ..core.errors import StoreUnavailable
from ..core.model import Change, Claim, Ration, Request, Transaction
from ..core.policy import Limits, Upstream
from ..core.rate import Rate
from ..ports import Clock, Store
from ..service.outage import Outage
from ..service.persistence import until_written
from ..service.reminder import Reminder
from .direct import Attempt
from .ready import Ready

log = logging.getLogger("restante.runner")

AHEAD = 4
"""How many times as many as may be under way are held ready, and for how many seconds' rate."""

LEAST_AHEAD = 2

UNWRITTEN = 2
"""How many times as many as may be under way there are at most, with those whose answer is being written."""


class Lane:
    """`attempt(claim, lane)` makes one: it is started, may be broken off, and says how far it is."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        store: Store,
        clock: Clock,
        limits: Limits,
        outage: Outage,
        attempt: "Callable[[Claim, Lane], Attempt]",
    ) -> None:
        self.upstream = upstream
        self._store = store
        self._clock = clock
        self._limits = limits
        self._outage = outage
        self._attempt = attempt
        self._rate = Rate(upstream.rate)
        self._ready = Ready()
        self._places = 0  # reserved, not yet delivered
        self._under_way: dict[Attempt, str] = {}  # and whose they are
        self._answered: set[Attempt] = set()  # of these, what the upstream has done with
        self._prepared: dict[int, Attempt] = {}  # and what is being stored, by row key
        self._none_under_way: asyncio.Future[None] | None = None  # somebody waits until none is
        self._backlog = True  # the store may hold something that is due
        self._claiming: asyncio.Task[None] | None = None
        self._due = Reminder(clock, self._woken)
        self._stopped = False
        self._slots = 0  # attempts that may be under way
        self._each = upstream.concurrency_per_tenant  # of these, one tenant's
        self._has: Counter[str] = Counter()  # what each tenant has here, where that is limited
        self._full: set[str] = set()  # tenants that may have more in the store than they have room for here
        self._returning: set[asyncio.Task[None]] = set()

    def allow(self, slots: int) -> None:
        """From now on so many attempts may be under way, of the upstream's `concurrency`, at that part of its
        rate. None: what is ready goes back to the store; what runs is let finish in any case.
        """
        before, self._slots = self._slots, slots
        each = self.upstream.concurrency_per_tenant
        self._each = None if each is None else max(each * slots // self.upstream.concurrency, 1)
        if self.upstream.rate:
            self._rate.set(self.upstream.rate * slots / self.upstream.concurrency)
        if slots < before:  # others may have it, or it waits
            self._give_back(self._ready.clear())
        if slots != before:
            self._backlog = True
            self.pump()

    # -- the bell's side

    def reserve(self, tenant: str) -> bool:
        """A place for a fresh transaction; none while older ones wait in the store."""
        if self._backlog or self._claiming is not None or self._stopped or self._is_full(tenant):
            return False
        if len(self._ready) + self._places >= self._room:
            return False
        self._places += 1
        self._enter(tenant)
        return True

    def begin(self, transaction: Transaction, request: Request) -> Change | None:
        """The mark of one that has a place, where nobody is before it and a slot, a token and an idle
        connection are there: they are kept for it."""
        if self._ready or self._stopped or not self._has_slot():
            return None
        attempt = self._attempt(Claim(transaction, request), self)
        mark = attempt.prepare()
        if mark is not None and self._rate.take(self._clock.now()) is not None:
            attempt.drop()
            return None
        if mark is not None:
            self._under_way[attempt] = transaction.tenant
            self._prepared[transaction.key] = attempt
        return mark

    def deliver(self, transaction: Transaction, claim: Claim | None, *, begun: bool) -> None:
        """Uses a reserved place, or gives it back."""
        self._places -= 1
        attempt = self._prepared.pop(transaction.key, None)
        if attempt is not None and claim is not None:
            attempt.start(begun=begun)
        elif attempt is not None:
            attempt.drop()
            self.ended(attempt)
        elif claim is not None:
            self._push([claim])
        else:
            self._leave(transaction.tenant)
        self.pump()

    def ring(self, due_at: int, tenant: str | None = None) -> None:
        """Something in the store, of that tenant's or anybody's, is due at `due_at`."""
        if self._backlog or (tenant is not None and self._is_full(tenant)):  # it is looked for in any case
            return
        if due_at <= self._clock.now():
            self._backlog = True
            self.pump()
        else:
            self._due.set(due_at)

    # -- the loop

    def pump(self) -> None:
        """Starts attempts while there is something ready, a slot and a token; then looks further."""
        while self._ready and self._has_slot() and not self._stopped:
            wait_until = self._rate.take(self._clock.now())
            if wait_until is not None:
                self._due.set(wait_until)
                break
            claim = self._ready.pop()
            attempt = self._attempt(claim, self)
            self._under_way[attempt] = claim.transaction.tenant
            attempt.start()
        if (
            self._backlog
            and not self._stopped
            and self._claiming is None
            and self._slots
            and len(self._ready) < self._room // 2
        ):
            self._claiming = asyncio.get_running_loop().create_task(self._claim())

    @property
    def running(self) -> int:
        """Attempts that the upstream may be at work on."""
        return len(self._under_way) - len(self._answered)

    @property
    def held(self) -> int:
        """Transactions in memory: ready, promised a place, or being run."""
        return len(self._ready) + self._places + len(self._under_way) - len(self._prepared)

    async def stop(self) -> None:
        """Starts nothing more and waits for what runs."""
        self._stopped = True
        self._due.wake = None
        self._due.clear()
        if self._claiming is not None:
            await asyncio.wait([self._claiming])
        if self._under_way:
            self._none_under_way = asyncio.get_running_loop().create_future()
            await self._none_under_way
        if self._returning:
            await asyncio.wait(self._returning)

    def abort(self) -> None:
        """Breaks off what still runs; its marks tell the next start what was under way."""
        self._prepared.clear()
        for attempt in list(self._under_way):
            attempt.abort()

    def _has_slot(self) -> bool:
        return self.running < self._slots and len(self._under_way) < UNWRITTEN * self._slots

    # -- what its attempts say

    def answered(self, attempt: Attempt) -> None:
        """The upstream has done with it: another may have its slot while its end is written."""
        self._answered.add(attempt)
        self.pump()

    def ended(self, attempt: Attempt) -> None:
        """It is over."""
        self._answered.discard(attempt)
        self._leave(self._under_way.pop(attempt))
        if self._none_under_way is not None and not self._under_way and not self._none_under_way.done():
            self._none_under_way.set_result(None)
        self.pump()

    # -- whose what is here is; counted only where a tenant is limited

    def _is_full(self, tenant: str) -> bool:
        """Whether the tenant has as much here as he may; from then on he is looked for when he has less."""
        if self._each is None or self._has[tenant] < self._each:
            return False
        self._full.add(tenant)
        return True

    def _look_who_is_full(self) -> None:
        for tenant in self._has:
            self._is_full(tenant)

    def _look_who_has_room_again(self, ration: Ration | None, claims: list[Claim]) -> None:
        """Who was given all he might have may have more in the store, and some of his ended meanwhile."""
        if ration is None:
            return
        given = Counter(claim.transaction.tenant for claim in claims)
        for tenant, count in given.items():
            if count >= ration.left(tenant) and self._has[tenant] < ration.each:
                self._backlog = True

    def _enter(self, tenant: str) -> None:
        if self._each is not None:
            self._has[tenant] += 1

    def _leave(self, tenant: str) -> None:
        if self._each is not None:
            self._has[tenant] -= 1
            if not self._has[tenant]:
                del self._has[tenant]
            if tenant in self._full:
                self._full.discard(tenant)
                self._backlog = True

    @property
    def _room(self) -> int:
        """How many may be ready."""
        room = AHEAD * self._slots
        if self.upstream.rate:
            room = min(room, int(AHEAD * self._rate.per_second))
        return min(max(room, LEAST_AHEAD), self._limits.ready)

    def _push(self, claims: list[Claim]) -> None:
        if not self._slots:  # while these came, everything was stopped
            self._give_back(claims)
            self._backlog = True
            return
        for claim in claims:
            self._ready.push(claim)

    def _give_back(self, claims: list[Claim]) -> None:
        for claim in claims:
            self._leave(claim.transaction.tenant)
        if claims:
            keys = [claim.transaction.key for claim in claims]
            task = asyncio.get_running_loop().create_task(self._release(keys))
            self._returning.add(task)
            task.add_done_callback(self._returned)

    async def _release(self, keys: list[int]) -> None:
        what = f"what is not begun at {self.upstream.name}"
        await until_written(self._outage, lambda: self._store.release(keys), what=what)

    def _returned(self, task: asyncio.Task[None]) -> None:
        self._returning.discard(task)
        self._backlog = True
        if not task.cancelled() and task.exception() is not None:
            log.error("what was ready could not be given back", exc_info=task.exception())
        self.pump()

    async def _claim(self) -> None:
        try:
            self._backlog = False  # what is accepted from here on sets it again
            room = max(self._room - len(self._ready), 1)
            now = self._clock.now()
            self._look_who_is_full()
            ration = None if self._each is None else Ration(self._each, dict(self._has))
            claims = await self._store.claim(self.upstream.name, room, now, ration=ration)
            for claim in claims:
                self._enter(claim.transaction.tenant)
            self._look_who_is_full()
            self._look_who_has_room_again(ration, claims)
            self._push(claims)
            if len(claims) >= room:
                self._backlog = True
            else:
                due_at = await self._store.next_due(self.upstream.name, now)
                if due_at is not None:
                    self._due.set(due_at)
        except StoreUnavailable as error:
            self._outage.met(error, f"what there is to do for {self.upstream.name}")
            self._due.set(self._clock.now() + self._outage.rest)
        finally:
            self._claiming = None
            self.pump()

    def _woken(self) -> None:
        self._backlog = True
        self.pump()
