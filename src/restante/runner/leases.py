"""Leases of the attempts that run here, renewed together while they run.

An attempt's mark lends it out for `lease`. Whoever still works on it says so every third of that, for
all attempts in one write; a short attempt is over before it is ever asked for.
"""

import asyncio
from collections.abc import Set

from ..core.errors import StoreUnavailable
from ..ports import Clock, Store, Timer
from ..service.outage import Outage


class Leases:
    """What runs here, by row key, with the moment its lease was last written."""

    def __init__(self, *, store: Store, clock: Clock, lease: int, outage: Outage) -> None:
        self._store = store
        self._outage = outage
        self._clock = clock
        self._lease = lease
        self._written: dict[int, int] = {}
        self._timer: Timer | None = None
        self._renewing: asyncio.Task[None] | None = None

    def hold(self, key: int, now: int) -> None:
        """The attempt's mark was just written."""
        self._written[key] = now
        if self._timer is None:
            self._set()

    def drop(self, key: int) -> None:
        """The attempt is settled."""
        self._written.pop(key, None)

    @property
    def held(self) -> Set[int]:
        return self._written.keys()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self._timer = self._clock.call_at(self._clock.now() + self._lease // 3, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._written:
            return
        self._set()
        if self._renewing is None:
            self._renewing = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        """Renews what is aged, and what has become so while the store was writing."""
        try:
            while aged := self._aged(now := self._clock.now()):
                await self._store.renew(aged, now + self._lease)
                for key in aged:
                    if key in self._written:
                        self._written[key] = now
        except StoreUnavailable as error:
            self._outage.met(error, "the renewal of leases")
        finally:
            self._renewing = None

    def _aged(self, now: int) -> list[int]:
        return [key for key, written in self._written.items() if now - written >= self._lease // 4]
