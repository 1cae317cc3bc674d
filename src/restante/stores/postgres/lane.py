"""A lane: jobs that arrive while a group is with the database become the next group.

That is what makes one round trip and one commit serve many callers, and keeps the order in which they
came: a lane does one group after the other. What waits is bounded, by count and by bytes; while the database
is away nothing is made to wait.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from ...core.errors import RestanteError, StoreUnavailable
from .trouble import Lost, unavailable, wrong

log = logging.getLogger("restante.stores")

ROW = 2048
"""What a job weighs beside its bytes."""

GROUP = 4 * 1024 * 1024
BULK_GROUP = 512 * 1024
"""Bytes of a group. A single job may be heavier."""

SLOW_SECONDS = 5.0
"""After a group that took longer, what has waited for as long is refused: else callers would wait for one
such group after the other."""

WAITING_BYTES = 16 * 1024
"""Bytes that may wait, per waiting job that is allowed."""


class Job:
    """Something to do, and who waits for it. `run` sets `value` or `error`.

    It is about `count` things. `undo` is given the value and takes back what nobody takes any more.
    """

    __slots__ = ("count", "entered", "error", "future", "kind", "undo", "value", "weight", "what")

    def __init__(
        self, kind: str, what: Any, weight: int, count: int, undo: Callable[[Any], None] | None
    ) -> None:
        self.kind = kind
        self.what = what
        self.weight = weight
        self.count = count
        self.undo = undo
        loop = asyncio.get_running_loop()
        self.entered = loop.time()
        self.future: asyncio.Future[Any] = loop.create_future()
        self.value: Any = None
        self.error: BaseException | None = None


class Lane:
    """`run` does a group of jobs; if it raises, that is their error."""

    GROUP = GROUP

    def __init__(
        self,
        run: Callable[[list[Job]], Awaitable[None]],
        *,
        max_waiting: int,
        away: Callable[[], bool],
        group: int | None = None,
    ) -> None:
        self._run = run
        self._away = away
        self._most = max_waiting
        self._max_bytes = max_waiting * WAITING_BYTES
        self._group = group or self.GROUP
        self._waiting: deque[Job] = deque()
        self._count = 0
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def do(
        self,
        kind: str,
        what: Any,
        *,
        size: int = 0,
        patience: int = 1,
        undo: Callable[[Any], None] | None = None,
    ) -> Any:
        """The job's answer. `patience` multiplies how much may be waiting before it is refused."""
        job = self._enter(kind, what, size, 1, patience, undo)
        try:
            return await job.future
        except asyncio.CancelledError:
            if undo and job.future.done() and not job.future.cancelled() and job.error is None:
                undo(job.value)  # the answer had come, and nobody takes it
            raise
        finally:
            self._count -= 1
            self._bytes -= job.weight

    def post(
        self,
        kind: str,
        what: Any,
        done: Callable[[Job], None],
        *,
        size: int = 0,
        count: int = 1,
        patience: int = 1,
    ) -> None:
        """The same for whoever does not wait: `done` is called with the job once it is over."""
        job = self._enter(kind, what, size, count, patience, None)

        def over(future: "asyncio.Future[Any]") -> None:
            self._count -= count
            self._bytes -= job.weight
            future.exception()  # it is the job's error
            done(job)

        job.future.add_done_callback(over)

    async def close(self) -> None:
        """Does what is waiting, and refuses what comes."""
        self._closing = True
        if self._task is not None:
            await asyncio.wait([self._task])

    def _enter(
        self,
        kind: str,
        what: Any,
        size: int,
        count: int,
        patience: int,
        undo: Callable[[Any], None] | None,
    ) -> Job:
        if self._closing:
            raise StoreUnavailable("The store is closed.")
        if self._away():
            raise unavailable()
        if self._count >= self._most * patience or self._bytes >= self._max_bytes * patience:
            raise StoreUnavailable("Too much is waiting to be stored.", retry_after_seconds=1)
        job = Job(kind, what, ROW * count + size, count, undo)
        self._count += count
        self._bytes += job.weight
        self._waiting.append(job)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        return job

    async def _work(self) -> None:
        await asyncio.sleep(0)  # so that what comes in with the first is there too
        loop = asyncio.get_running_loop()
        while group := self._take():
            begun = loop.time()
            try:
                await self._run(group)
            except Exception as error:
                if not isinstance(error, (RestanteError, Lost)):  # ours to mend
                    log.error("a group was not done: %s", type(error).__name__)
                    log.debug("a group was not done", exc_info=error)
                for job in group:
                    job.error = job.error or wrong(error)
            for job in group:
                _deliver(job)
            if loop.time() > begun + SLOW_SECONDS:
                self._refuse(loop.time() - SLOW_SECONDS)
        self._task = None

    def _refuse(self, entered: float) -> None:
        """What waits since then or longer is not done."""
        while self._waiting and self._waiting[0].entered <= entered:
            job = self._waiting.popleft()
            job.error = unavailable()
            _deliver(job)

    def _take(self) -> list[Job]:
        group: list[Job] = []
        room = self._group
        while self._waiting and room > 0:
            job = self._waiting.popleft()
            if job.future.cancelled():
                if job.undo:
                    job.undo(None)
                continue
            room -= job.weight
            group.append(job)
        return group


def _deliver(job: Job) -> None:
    if job.future.done():  # given up
        if job.undo and job.error is None:
            job.undo(job.value)
    elif job.error is not None:
        job.future.set_exception(job.error)
    else:
        job.future.set_result(job.value)
