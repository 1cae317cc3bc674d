"""Work that is done over and over for as long as this process lives, beside everything else: at once, and
then each time after a rest."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..core.errors import RestanteError
from ..ports import Clock
from .reminder import Reminder

log = logging.getLogger("restante.service")


class Rounds:
    """`start` and `stop` it. `rest` is told how long a round took and says how long the rest after it is;
    `what` is done, in the words of the log: where it fails, it is for the next round."""

    def __init__(
        self, work: Callable[[], Awaitable[object]], what: str, *, clock: Clock, rest: Callable[[int], int]
    ) -> None:
        self._work = work
        self._what = what
        self._clock = clock
        self._rest = rest
        self._task: asyncio.Task[None] | None = None
        self._next = Reminder(clock, self.start)
        self._soon: int | None = None  # asked for while a round was made

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._round())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._next.clear()

    def soon(self, span: int) -> None:
        """The next round is after `span` at the latest; one that is being made is not it."""
        if self._task is not None and self._task.done():
            self._next.set(self._clock.now() + span)
        else:
            self._soon = span

    async def _round(self) -> None:
        began = self._clock.now()
        try:
            await self._work()
        except RestanteError as error:
            log.debug("%s later: %s", self._what, error)
        finally:
            now = self._clock.now()
            rest, soon = self._rest(now - began), self._soon
            self._soon = None
            self._next.set(now + (rest if soon is None else min(rest, soon)))
