"""A thread that is handed jobs by the event loop and does whatever has arrived as one group.

While a group is being done the next one gathers: that is what makes one commit, or one look-up, serve
many callers. Answers go back with one wake-up of the loop per group. A thread without a job sleeps on a
queue and asks for nothing.

There are two lanes. Urgent jobs go first; bulk ones (pieces of large bodies) get a small share of each
group, so that an upload never stands in the way of an accept. How much may wait is bounded.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import msgspec

from ...core.errors import StoreUnavailable
from .database import wrong
from .turnstile import Turnstile

log = logging.getLogger("restante.store")

ROW = 2048
"""What a job weighs beside its bytes."""

URGENT_GROUP = 4 * 1024 * 1024
BULK_GROUP = 256 * 1024
"""Bytes of a group, per lane. A single job may be heavier."""

MAX_ROUNDS = 8
"""Rounds of the loop that a group gathers for, at most."""

WAITING_BYTES = 16 * 1024
"""Bytes that may wait, per waiting job that is allowed."""


class Job(msgspec.Struct, eq=False):
    """Something to do, and who is told of it. `value` or `error` is set by the thread.

    `undo` is given the value and takes back what the job did in memory, where nobody takes its answer.
    """

    kind: str
    what: Any
    weight: int
    future: asyncio.Future[Any] | None = None
    told: "Told | None" = None
    undo: Callable[[Any], None] | None = None
    value: Any = None
    error: BaseException | None = None


Told = Callable[["Job"], None]
"""Called on the loop when the job is done, in place of a future."""

Run = Callable[[list[Job], Turnstile], None]


class Worker:
    """`run` gets a group of jobs and sets each one's value or error; if it raises, that is their error."""

    def __init__(self, name: str, run: Run, *, max_waiting: int) -> None:
        self._run = run
        self._max_jobs = max_waiting
        self._max_bytes = max_waiting * WAITING_BYTES
        self._loop = asyncio.get_running_loop()
        self._urgent: deque[Job] = deque()
        self._bulk: deque[Job] = deque()
        self._jobs = 0
        self._bytes = 0
        self._awake = False
        self._closing = False
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._turnstile = Turnstile(self._loop)
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    async def do(
        self,
        kind: str,
        what: Any,
        *,
        size: int = 0,
        bulk: bool = False,
        patience: int = 1,
        undo: Callable[[Any], None] | None = None,
    ) -> Any:
        """The job's answer. `patience` multiplies how much may be waiting before it is refused."""
        future = self._loop.create_future()
        job = Job(kind, what, ROW + size, future=future, undo=undo)
        self._put(job, bulk=bulk, patience=patience)
        try:
            return await future
        except asyncio.CancelledError:
            if undo and not future.cancelled():
                undo(job.value)  # the answer had come, and nobody takes it
            raise
        finally:
            self._done(job)

    def post(self, kind: str, what: Any, told: Told, *, size: int) -> None:
        """The same without a task that waits: `told` is called. Once posted it is done in any case."""
        self._put(Job(kind, what, ROW + size, told=told), bulk=False, patience=1)

    async def close(self) -> None:
        """Does what is waiting, then ends the thread."""
        self._closing = True
        self._wake.put(None)
        await asyncio.to_thread(self._thread.join)

    def _put(self, job: Job, *, bulk: bool, patience: int) -> None:
        if self._closing:
            raise StoreUnavailable("The store is closed.")
        if self._jobs >= self._max_jobs * patience or self._bytes >= self._max_bytes * patience:
            raise StoreUnavailable("Too much is waiting to be stored.", retry_after_seconds=1)
        self._jobs += 1
        self._bytes += job.weight
        (self._bulk if bulk else self._urgent).append(job)
        if not self._awake:
            self._rouse()

    def _done(self, job: Job) -> None:
        self._jobs -= 1
        self._bytes -= job.weight

    # -- in the thread

    def _main(self) -> None:
        while True:
            self._wake.get()
            while group := self._take():
                self._turnstile.begin()
                try:
                    self._run(group, self._turnstile)
                except Exception as error:
                    for job in group:
                        job.error = job.error or wrong(error)
                self._call(self._deliver, group)
            self._awake = False
            self._turnstile.sleep()
            if self._urgent or self._bulk:  # arrived between the last look and the lines above
                self._call(self._rouse)
            elif self._closing:
                return

    def _take(self) -> list[Job]:
        group: list[Job] = []
        for lane, room in ((self._urgent, URGENT_GROUP), (self._bulk, BULK_GROUP)):
            while lane and room > 0:
                job = lane.popleft()
                if job.future is not None and job.future.cancelled():
                    if job.undo:
                        job.undo(job.value)
                    continue
                room -= job.weight
                group.append(job)
        return group

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop may be gone, and everybody who waited with it
            self._loop.call_soon_threadsafe(callback, *arguments)

    # -- on the loop again

    def _rouse(self) -> None:
        if not self._awake:
            self._awake = True
            self._loop.call_soon(self._gather, 0, 0)

    def _gather(self, seen: int, rounds: int) -> None:
        """Wakes the thread once a round of the loop has brought nothing more: what comes in together is one
        group."""
        waiting = len(self._urgent) + len(self._bulk)
        if waiting > seen and rounds < MAX_ROUNDS:
            self._loop.call_soon(self._gather, waiting, rounds + 1)
            return
        self._wake.put(None)
        self._turnstile.watch()

    def _deliver(self, group: list[Job]) -> None:
        for job in group:
            future = job.future
            if future is None:
                self._done(job)
                self._tell(job)
            elif future.done():  # given up
                if job.undo and job.error is None:
                    job.undo(job.value)
            elif job.error is not None:
                future.set_exception(job.error)
            else:
                future.set_result(job.value)

    def _tell(self, job: Job) -> None:
        assert job.told is not None
        try:
            job.told(job)
        except Exception as error:  # whoever is told next must not suffer for it
            log.error("the answer of a %s could not be handed over", job.kind, exc_info=error)
