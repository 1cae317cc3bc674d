"""The loop: what is due is taken for many lanes at once, carried, and settled, each lane for itself.

Nothing polls: it wakes by a ring (a delivery was written, here or in another process), by an attempt that
ended, or by one timer set to the next moment at which something may be begun. A lane never has more under way
than its slots, and one that is in trouble has one or none, so that whatever a receiver does costs the others
nothing; where all places of the process are taken, receivers with the least under way come first.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from ..core.endpoint import endpoint_of, site_of
from ..core.errors import RestanteError, StoreUnavailable
from ..core.outbox import Errand
from ..service import Service
from ..service.persistence import until_written
from ..service.reminder import Reminder
from .carrying import Carrying
from .site import Site

log = logging.getLogger("restante.webhooks")

LANES = 10_000
"""Lanes that are asked for at once, where any may have something due."""

RESTS = 20
"""How many times as long as it took to learn of all lanes it is not asked for them because others may have
written: where there are very many, that is work."""

TAKEN = 64
"""Lanes that are taken for in one write."""


class Webhooks:
    """Sends webhooks; `start` gives it the service."""

    def __init__(self) -> None:
        self._sites: dict[str, Site] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pumping = False
        self._asking = False  # the store may know of lanes that are not known here
        self._rested_at = 0
        self._taking: asyncio.Task[None] | None = None
        self._stopped = True
        self._lent_until = 0  # by the last taking; no two are until the same moment

    def start(self, service: Service) -> None:
        """Takes up what the store holds."""
        self._service = service
        self._settings = service.policy.webhooks
        self._carrying = Carrying(service)
        self._due = Reminder(service.clock, self._pump)
        self._stopped = False
        service.endpoints.ring = self.ring
        service.endpoints.pardon = self.pardon
        service.endpoints.spared_until = self.spared_until
        service.endpoints.changed = self._changed
        self._ask()

    async def stop(self, grace_seconds: float) -> None:
        """Starts nothing new, lets what runs go on for `grace_seconds`, then breaks it off."""
        if self._stopped:
            return
        self._stopped = True
        self._due.wake = None
        self._due.clear()
        if self._taking is not None:
            await asyncio.wait([self._taking])
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_seconds)
            for task in late:
                task.cancel()
            if late:
                log.warning("%d webhooks are broken off after the grace time: made again", len(late))
                await asyncio.wait(late)

    @property
    def running(self) -> int:
        """Attempts under way."""
        return len(self._tasks)

    @property
    def at_rest(self) -> bool:
        """Whether there is nothing to do but wait for a ring or the clock."""
        return not self._tasks and self._taking is None and not (self._asking or self._pumping)

    def heard(self, lane: str | None, moment: int) -> None:
        """Another process says that a delivery is due at that moment; None: any may be."""
        if self._stopped:  # or not started: another process sends
            return
        if lane is not None:
            self.ring(lane, moment)
        elif self._service.clock.now() >= self._rested_at:
            self._ask()
        else:
            self._service.clock.call_at(self._rested_at, self._ask)

    def ring(self, lane: str, moment: int) -> None:
        """A delivery in this lane is due at that moment."""
        if self._stopped:
            return
        self._site(lane).ring(lane, moment)
        self._pump_soon()

    def pardon(self, lane: str) -> None:
        """It may be tried at once, whatever has happened there."""
        site = self._sites.get(site_of(lane))
        if site is not None:
            site.pardon(lane, self._service.clock.now())
            self._pump_soon()

    def spared_until(self, lane: str) -> int:
        """Until when nothing is sent there, as it failed too often; a moment in the past, or 0: it is."""
        site = self._sites.get(site_of(lane))
        return 0 if site is None else site.spared_until(lane)

    def _changed(self) -> None:
        """An endpoint that leads elsewhere now, or is on again, is tried at once."""
        for name, site in self._sites.items():
            leads_to = self._leads_to(name)
            if leads_to != site.leads_to:
                site.leads_to = leads_to
                site.pardon(name, self._service.clock.now())
        self._ask()

    def _leads_to(self, site: str) -> tuple[str | None, bool] | None:
        endpoint = self._service.endpoints.one(endpoint_of(site))
        return None if endpoint is None else (endpoint.url, endpoint.active)

    # -- the loop

    def _ask(self) -> None:
        if not self._stopped:
            self._asking = True
            self._pump_soon()

    def _pump_soon(self) -> None:
        """Once for all that rings in this round of the loop."""
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Has the store asked where anything may be begun; else sets the timer."""
        self._pumping = False
        if self._stopped or self._taking is not None:
            return
        wanted, next_at = self._wanted()
        if wanted or self._asking:
            self._taking = asyncio.get_running_loop().create_task(self._take(wanted))
        elif next_at is not None:
            self._due.set(next_at)

    def _wanted(self) -> tuple[dict[str, int], int | None]:
        """How many to take of which lanes, those of the least busy receivers first; and when there is more to
        begin."""
        now = self._service.clock.now()
        wanted: dict[str, int] = {}
        next_at: int | None = None
        free = self._settings.concurrency - len(self._tasks)
        if free <= 0:  # it is asked again when one of them ends
            return wanted, next_at
        for name, site in sorted(self._sites.items(), key=lambda item: item[1].running):
            if not self._is_served(name):
                continue
            if free > 0 and len(wanted) < TAKEN:
                more = site.wanted(now, free=free, lanes=TAKEN - len(wanted))
                free -= sum(more.values())
                wanted |= more
            moment = site.next_at()
            if moment is not None:
                next_at = moment if next_at is None else min(next_at, moment)
        return wanted, next_at

    def _is_served(self, site: str) -> bool:
        """Not while its endpoint is off. What is for one that was removed is taken, to be given up."""
        endpoint = self._service.endpoints.one(endpoint_of(site))
        return endpoint is None or endpoint.active

    async def _take(self, wanted: dict[str, int]) -> None:
        service = self._service
        try:
            if self._asking:
                self._asking = False
                await self._find()
            if wanted:
                self._begin(await self._taken(wanted))
                self._know(await service.store.next_deliveries(list(wanted)))
        except StoreUnavailable as error:
            service.outage.met(error, "what there is to deliver")
            self._later(wanted)
        except RestanteError as error:
            log.error("deliveries could not be taken: %s", error)
            self._later(wanted)
        finally:
            self._taking = None
            self._forget(wanted)
            self._pump()

    async def _taken(self, wanted: dict[str, int]) -> list[Errand]:
        """Takes them; where that fails they may be lent out all the same, and are given back."""
        service, now = self._service, self._service.clock.now()
        until = self._lent_until = max(now + self._settings.lease, self._lent_until + 1)
        try:
            return await service.store.take(wanted, now, until)
        except StoreUnavailable:
            service.behind(self._give_back(list(wanted), until))
            raise

    async def _give_back(self, lanes: list[str], until: int) -> None:
        store, clock = self._service.store, self._service.clock
        with suppress(StoreUnavailable):  # then they are taken when they are not lent out any more
            await until_written(
                self._service.outage,
                lambda: store.give_back(lanes, until=until, now=clock.now()),
                what="what was taken in vain",
                until=until,
            )
            for lane in lanes:
                self.ring(lane, clock.now())

    async def _find(self) -> None:
        """Learns of all lanes that have anything to be done, page by page."""
        began = self._service.clock.now()
        after = ""
        while True:
            page = await self._service.store.lanes(after=after, limit=LANES)
            self._know(page)
            if len(page) < LANES:
                break
            after = max(page)
        now = self._service.clock.now()
        self._rested_at = now + (now - began) * RESTS

    def _later(self, wanted: Iterable[str]) -> None:
        """The store is asked again after a while."""
        moment = self._service.clock.now() + self._service.outage.rest
        for name in wanted:
            self._site(name).ring(name, moment)
        self._service.clock.call_at(moment, self._ask)

    def _know(self, dues: dict[str, int]) -> None:
        for name, moment in dues.items():
            self._site(name).ring(name, moment)

    def _site(self, lane: str) -> Site:
        """Where a lane belongs."""
        name = site_of(lane)
        site = self._sites.get(name)
        if site is None:
            each = self._settings.lane
            most = each if name == endpoint_of(name) else self._settings.origin
            site = self._sites[name] = Site(name, most=most, each=each)
            site.leads_to = self._leads_to(name)
        return site

    def _forget(self, lanes: Iterable[str]) -> None:
        for lane in lanes:
            name = site_of(lane)
            if name in self._sites and self._sites[name].forget(lane):
                del self._sites[name]

    def _begin(self, errands: list[Errand]) -> None:
        for errand in errands:
            self._site(errand.delivery.lane).began(errand.delivery.lane)
            task = asyncio.get_running_loop().create_task(self._run(errand))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _run(self, errand: Errand) -> None:
        lane = errand.delivery.lane
        in_order = True
        try:
            in_order = await self._carrying.run(errand)
        finally:
            self._site(lane).ended(lane, self._service.clock.now(), in_order=in_order)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("an attempt ended with an unexpected error", exc_info=task.exception())
        self._pump()
