"""What is handed to a thread, or to a process, in groups: whatever has arrived while the last one was done.

That is what makes one commit, or one look-up, serve many callers. A worker stands on the event loop: it
keeps what waits, forms the groups, and hands the answers out. The hand does a group at a time (thread.py,
apart.py) and sleeps while there is none.

There are two lanes. Urgent jobs go first; bulk ones (pieces of large bodies) get a small share of each
group, so that an upload never stands in the way of an accept. How much may wait is bounded.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from ...core.errors import StoreUnavailable

log = logging.getLogger("restante.store")

ROW = 2048
"""What a job weighs beside its bytes."""

URGENT_GROUP = 4 * 1024 * 1024
BULK_GROUP = 256 * 1024
"""Bytes of a group, per lane. A single job may be heavier."""

MAX_ROUNDS = 8
"""Rounds of the loop that a group gathers for, at most."""

MERGED = 256 * 1024
"""Bytes from which a job takes nothing more in."""

WAITING_BYTES = 16 * 1024
"""Bytes that may wait, per waiting job that is allowed."""


class Job(msgspec.Struct, eq=False):
    """Something to do, and who is told of it. `value` or `error` is set by the hand.

    It is about `count` things. `told` is called on the loop when it is done, whether or not somebody waits
    for the answer; `each` are told of one of the things. `undo` is given the value and takes back what the
    job did in memory, where nobody takes its answer.
    """

    kind: str
    what: Any
    weight: int
    count: int = 1
    future: asyncio.Future[Any] | None = None
    told: "Told | None" = None
    each: list[Callable[[Any], None]] = []
    undo: Callable[[Any], None] | None = None
    value: Any = None
    error: BaseException | None = None


Told = Callable[["Job"], None]
Group = list[Job]


class Hand(Protocol):
    """What does the groups, one after the other."""

    enough: int | None
    """So many things make a group without waiting for more; None: it waits for all that come in together."""

    ahead: int
    """Groups that it takes before the first of them is done."""

    def give(self, group: Group, done: Callable[[Group], None]) -> None:
        """Does it, after what was given before; `done` is called on the event loop, each job's value or error
        set."""
        ...

    async def close(self) -> None: ...


class Worker:
    """Jobs in, answers out."""

    def __init__(self, hand: Hand, *, max_waiting: int) -> None:
        self._hand = hand
        self._most = max_waiting
        self._max_bytes = max_waiting * WAITING_BYTES
        self._loop = asyncio.get_running_loop()
        self._urgent: deque[Job] = deque()
        self._bulk: deque[Job] = deque()
        self._open: Job | None = None  # what waits and takes more in
        self._count = 0  # of things that wait or are being done, and of these those that wait
        self._waiting = 0
        self._bytes = 0
        self._given = 0  # groups that are not done
        self._gathering = False
        self._closing: asyncio.Future[None] | None = None
        self.groups = 0  # handed over so far
        self.committed: Callable[[int], None] = lambda count: None  # is told how many things a group is about

    async def do(
        self,
        kind: str,
        what: Any,
        *,
        size: int = 0,
        bulk: bool = False,
        patience: int = 1,
        told: Told | None = None,
        undo: Callable[[Any], None] | None = None,
    ) -> Any:
        """The job's answer. `patience` multiplies how much may be waiting before it is refused."""
        future = self._loop.create_future()
        job = Job(kind, what, ROW + size, future=future, told=told, undo=undo)
        self._put(job, bulk=bulk, patience=patience)
        try:
            return await future
        except asyncio.CancelledError:
            if undo and not future.cancelled():
                undo(job.value)  # the answer had come, and nobody takes it
            raise
        finally:
            self._done(job)

    def post(self, kind: str, what: Any, told: Told, *, size: int, count: int = 1, patience: int = 1) -> None:
        """The same without a task that waits: `told` is called. Once posted it is done in any case."""
        self._put(Job(kind, what, ROW * count + size, count, told=told), bulk=False, patience=patience)

    def add(
        self, kind: str, thing: Any, each: Callable[[Any], None], told: Told, *, size: int, patience: int
    ) -> None:
        """The same for one thing: what is added one after the other is one job, `told` when it is done."""
        weight = ROW + size
        self._admit(1, weight, patience)
        job = self._open
        if job is None or job is not self._urgent[-1] or job.kind != kind or job.weight >= MERGED:
            job = self._open = Job(kind, [], 0, 0, told=told)
            self._urgent.append(job)
        job.what.append(thing)
        job.each.append(each)
        job.count += 1
        job.weight += weight
        self._wake()

    async def close(self) -> None:
        """Does what is waiting, then ends the hand."""
        self._closing = self._loop.create_future()
        if self._given or self._gathering:
            await self._closing
        await self._hand.close()

    def _put(self, job: Job, *, bulk: bool, patience: int) -> None:
        self._admit(job.count, job.weight, patience)
        (self._bulk if bulk else self._urgent).append(job)
        self._wake()

    def _admit(self, count: int, weight: int, patience: int) -> None:
        if self._closing is not None:
            raise StoreUnavailable("The store is closed.")
        if self._count >= self._most * patience or self._bytes >= self._max_bytes * patience:
            raise StoreUnavailable("Too much is waiting to be stored.", retry_after_seconds=1)
        self._count += count
        self._waiting += count
        self._bytes += weight

    def _wake(self) -> None:
        if self._given >= self._hand.ahead:
            return
        if not self._gathering:
            self._gathering = True
            self._loop.call_soon(self._gather, 0, 0)
        if self._hand.enough is not None and self._waiting >= self._hand.enough:
            self._go()

    def _done(self, job: Job) -> None:
        self._count -= job.count
        self._bytes -= job.weight

    def _gather(self, seen: int, rounds: int) -> None:
        """Hands over once a round of the loop has brought nothing more: what comes together is one group."""
        if not self._gathering:  # it became enough meanwhile
            return
        waiting = self._waiting
        if waiting > seen and rounds < MAX_ROUNDS:
            self._loop.call_soon(self._gather, waiting, rounds + 1)
        else:
            self._go()

    def _go(self) -> None:
        self._gathering = False
        group = self._take()
        if group:
            self._given += 1
            self.groups += 1
            self.committed(sum(job.count for job in group))
            self._hand.give(group, self._deliver)
        elif not self._given and self._closing is not None and not self._closing.done():
            self._closing.set_result(None)

    def _take(self) -> Group:
        group: Group = []
        self._open = None
        for lane, room in ((self._urgent, URGENT_GROUP), (self._bulk, BULK_GROUP)):
            while lane and room > 0:
                job = lane.popleft()
                self._waiting -= job.count
                if job.future is not None and job.future.cancelled():
                    if job.undo:
                        job.undo(job.value)
                    continue
                room -= job.weight
                group.append(job)
        return group

    def _deliver(self, group: Group) -> None:
        self._given -= 1
        self._go()  # the next one is done while these are told
        for job in group:
            future = job.future
            if future is None:
                self._done(job)
            if job.told is not None:
                tell(job.kind, job.told, job)
            if future is None:
                continue
            if future.done():  # given up
                if job.undo and job.error is None:
                    job.undo(job.value)
            elif job.error is not None:
                future.set_exception(job.error)
            else:
                future.set_result(job.value)


def tell(kind: str, told: Callable[[Any], None], what: Any) -> None:
    try:
        told(what)
    except Exception as error:  # whoever is told next must not suffer for it
        log.error("the answer of a %s could not be handed over", kind, exc_info=error)
