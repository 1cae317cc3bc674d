"""News from other processes: what somebody here waits for is looked at once, and told.

What is applied in this process is told by the service itself. Here it is only heard that something changed
elsewhere; whatever was heard while a look was under way is one look more.
"""

import asyncio
import logging

from ..core.errors import RestanteError
from .service import Service

LOOK = 500
"""Transactions looked at together."""

log = logging.getLogger("restante.service")


class News:
    """`changed` is for the store to call."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ids: set[str] = set()
        self._looking: asyncio.Task[None] | None = None

    def changed(self, id: str | None) -> None:
        """A transaction went on elsewhere; None: any may have."""
        self._service.feed.heard()
        watched = self._service.waiting.watched
        if id is None:
            self._ids |= watched
        elif id in watched:
            self._ids.add(id)
        if self._ids and self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        try:
            while self._ids:
                ids = list(self._ids)[:LOOK]
                self._ids.difference_update(ids)
                for found in await self._service.store.look(ids):
                    if found is not None:
                        self._service.waiting.tell(found)
        except RestanteError as error:
            log.debug("waiting goes on without news: %s", error)
        finally:
            self._looking = None
