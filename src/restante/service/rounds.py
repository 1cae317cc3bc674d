"""Work that is done over and over for as long as this process lives, beside everything else: at once, and
then each time after a rest."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..core.errors import RestanteError
from ..ports import Clock, Timer

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
        self._timer: Timer | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._round())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._timer is not None:
            self._timer.cancel()

    async def _round(self) -> None:
        began = self._clock.now()
        try:
            await self._work()
        except RestanteError as error:
            log.debug("%s later: %s", self._what, error)
        finally:
            now = self._clock.now()
            self._timer = self._clock.call_at(now + self._rest(now - began), self.start)
