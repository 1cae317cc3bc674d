"""The runner: one lane per upstream, and the bell by which the service reaches them."""

import asyncio
import logging
from collections.abc import Set
from functools import partial

from ..core.model import Change, Claim, Request, Transaction
from ..core.policy import Policy
from ..ports import Clock, Sender, Store
from ..service import Service
from .attempt import Attempts
from .direct import Attempt
from .lane import Lane
from .leases import Leases
from .shares import Shares

log = logging.getLogger("restante.runner")


class Runner:
    """Runs what is accepted. It is the service's `Bell`; `start` gives it the service."""

    def __init__(self, *, store: Store, policy: Policy, clock: Clock, sender: Sender) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._sender = sender
        self._lanes: dict[str, Lane] = {}
        self._paused: Set[str] = frozenset()
        self._shares = Shares(store=store, clock=clock, lease=policy.limits.lease, changed=self._allow_all)
        self._leases: Leases | None = None

    def start(self, service: Service) -> None:
        """Opens a lane for each upstream and takes up what the store holds."""
        self._leases = Leases(
            store=self._store,
            clock=self._clock,
            lease=self._policy.limits.lease,
            outage=service.outage,
        )
        attempts = Attempts(service=service, sender=self._sender, leases=self._leases)
        for name, upstream in self._policy.upstreams.items():
            lane = Lane(
                upstream,
                store=self._store,
                clock=self._clock,
                limits=self._policy.limits,
                outage=service.outage,
                attempt=partial(Attempt, attempts),
            )
            self._lanes[name] = lane
        self._allow_all()
        self._shares.start(self._lanes)

    async def stop(self, grace_seconds: float) -> None:
        """Starts nothing new, lets what runs go on for `grace_seconds`, then breaks it off."""
        await self._shares.stop()
        stopping = [asyncio.ensure_future(lane.stop()) for lane in self._lanes.values()]
        if stopping:
            _, late = await asyncio.wait(stopping, timeout=grace_seconds)
            if late:
                log.warning("%d attempts are broken off after the grace time", self.running)
                for lane in self._lanes.values():
                    lane.abort()
                await asyncio.wait(late)
        await self._shares.give_up()
        if self._leases is not None:
            self._leases.stop()

    @property
    def running(self) -> int:
        """Attempts under way."""
        return sum(lane.running for lane in self._lanes.values())

    @property
    def lanes(self) -> list[Lane]:
        """One per upstream."""
        return list(self._lanes.values())

    def work(self, upstream: str | None, due_at: int) -> None:
        """Another process says that something is due; None: it may be for any."""
        for name in self._lanes if upstream is None else (upstream,):
            self.ring(name, due_at)

    def _allow_all(self) -> None:
        for name, lane in self._lanes.items():
            lane.allow(0 if name in self._paused else self._shares.of(lane))

    # -- Bell

    def reserve(self, upstream: str, tenant: str) -> bool:
        lane = self._lanes.get(upstream)
        return lane is not None and lane.reserve(tenant)

    def begin(self, transaction: Transaction, request: Request) -> Change | None:
        return self._lanes[transaction.upstream].begin(transaction, request)

    def deliver(self, transaction: Transaction, claim: Claim | None, *, begun: bool = False) -> None:
        self._lanes[transaction.upstream].deliver(transaction, claim, begun=begun)

    def ring(self, upstream: str, due_at: int, tenant: str | None = None) -> None:
        lane = self._lanes.get(upstream)
        if lane is not None:
            lane.ring(due_at, tenant)

    def pause(self, upstreams: Set[str]) -> None:
        self._paused = upstreams
        self._allow_all()
