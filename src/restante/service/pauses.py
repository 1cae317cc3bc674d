"""Which upstreams are paused, as this process knows it: read from the store at the start, after every pause
and resume made here, and whenever another process tells of one.

A store that refuses leaves what was known; it is asked again at the next occasion, of which there is one
every few seconds where there are other processes.
"""

import asyncio
import logging

from ..core.errors import RestanteError
from ..ports import Bell, Store

log = logging.getLogger("restante.service")


class Pauses:
    """`know` them before anything is run; `heard` is for the store to call."""

    def __init__(self, *, store: Store, bell: Bell) -> None:
        self.names: frozenset[str] = frozenset()
        self._store = store
        self._bell = bell
        self._again = False
        self._looking: asyncio.Task[None] | None = None

    async def pause(self, upstream: str) -> None:
        """Everywhere, and until it is resumed; what is being sent is let finish."""
        await self._store.pause(upstream)
        await self.look()

    async def resume(self, upstream: str) -> None:
        await self._store.resume(upstream)
        await self.look()

    async def look(self) -> None:
        """Asks the store."""
        self.know(await self._store.paused())

    def know(self, names: frozenset[str]) -> None:
        """These are paused, and the runner is told."""
        self.names = names
        self._bell.pause(names)

    def heard(self) -> None:
        """Another process paused or resumed something, or may have."""
        self._again = True
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        try:
            while self._again:
                self._again = False
                await self.look()
        except RestanteError as error:
            log.debug("pauses are looked at later: %s", error)
        finally:
            self._looking = None
