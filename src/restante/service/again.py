"""A look at the store, made anew whenever another process has changed something.

However often it is told while a look is under way, one more follows. A store that refuses leaves what was
known; it is asked again at the next occasion, of which there is one every few seconds where there are
other processes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..core.errors import RestanteError

log = logging.getLogger("restante.service")


class Again:
    """`look` asks the store; `what` is looked at, in the words of the log."""

    def __init__(self, look: Callable[[], Awaitable[None]], what: str) -> None:
        self._look = look
        self._what = what
        self._wanted = False
        self._looking: asyncio.Task[None] | None = None

    def heard(self) -> None:
        """Another process changed something, or may have."""
        self._wanted = True
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._until_seen())

    async def _until_seen(self) -> None:
        try:
            while self._wanted:
                self._wanted = False
                await self._look()
        except RestanteError as error:
            log.debug("%s are looked at later: %s", self._what, error)
        finally:
            self._looking = None
