"""This process's share of each upstream's limits, where other processes work on the same store.

It is asked for a few times in a lease, so that those who come get theirs and what those had who went is
used. Where the store has not been heard for a whole lease there is no share any more: others may have it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from ..core.errors import RestanteError
from ..core.model import Wanted
from ..core.rate import bunched
from ..ports import Clock, Store
from ..service.outage import Outage
from ..service.reminder import Reminder
from .lane import Lane

log = logging.getLogger("restante.runner")

BEATS = 4
"""How often it is asked for in a lease."""

HUNGRY_BEATS = 4 * BEATS
"""The same for a process that has no share of something."""

ROUNDS = 2
"""Questions in a row: what was given up in the first is the others' after the second."""


NONE = Wanted(total=0, processes=0, used=0)
"""Of somebody who wants no part any more."""


class Shares:
    """`start` with the lanes; `changed` is called after each answer. Who is alone has everything."""

    def __init__(self, *, store: Store, clock: Clock, lease: int, changed: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease
        self._changed = changed
        self._lanes: Mapping[str, Lane] = {}
        self._slots: dict[str, int] = {}
        self._heard = 0
        self._asking: asyncio.Task[None] | None = None
        self._next = Reminder(clock, self._ask)

    def of(self, lane: Lane) -> int:
        """How many attempts it may have under way."""
        if not self._store.shared:
            return lane.upstream.concurrency
        return self._slots.get(lane.upstream.name, 0)

    def start(self, lanes: Mapping[str, Lane]) -> None:
        self._lanes = lanes
        self._heard = self._clock.now()
        if self._store.shared and lanes:
            self._ask()

    async def stop(self) -> None:
        """It is asked no more; what it has remains until `give_up`, or until the store is closed."""
        self._next.wake = None
        self._next.clear()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def give_up(self) -> None:
        """Nothing is under way here any more: the others may have it all."""
        if self._store.shared and self._lanes:
            with suppress(RestanteError):  # then they have it when the store is closed
                await self._store.divide(dict.fromkeys(self._lanes, NONE))

    def _ask(self) -> None:
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._divide())

    async def _divide(self) -> None:
        refused = False
        try:
            for _ in range(ROUNDS):
                asked, wanted = self._clock.now(), self._wanted()
                self._slots = await self._store.divide(wanted)
                self._heard = asked
                self._changed()
                if all(self._slots[name] >= one.used for name, one in wanted.items()):
                    break
        except RestanteError as error:
            refused = True
            log.debug("the shares of the upstreams are not known: %s", error)
            if self._clock.now() - self._heard >= self._lease:
                self._slots = {}
                self._changed()
        finally:
            self._asking = None
            beats = BEATS if all(self._slots.values()) else HUNGRY_BEATS
            rest = self._lease // beats
            # As whoever looks for work: one that has never been told its share does nothing until then.
            self._next.set(self._clock.now() + (min(rest, Outage.rest) if refused else rest))

    def _wanted(self) -> dict[str, Wanted]:
        wanted = {}
        for name, lane in self._lanes.items():
            upstream = lane.upstream
            processes = bunched(upstream.rate) if upstream.rate else upstream.concurrency
            wanted[name] = Wanted(
                total=upstream.concurrency,
                processes=min(processes, upstream.concurrency_per_tenant or processes),
                used=max(lane.running, self._slots.get(name, 0)),
            )
        return wanted
