"""The store's threads and its disk: each group of jobs is done in one step, at a drawn time, by the store's
own code on a real file; what is told of it comes later still, if the server is there then.

So a commit is made or it is not: a kill comes before it, or after it and before anybody hears of it.
"""

import random
from collections.abc import Callable
from typing import Any

import apsw

from restante.stores.sqlite.apart import AHEAD, ENOUGH
from restante.stores.sqlite.database import wrong
from restante.stores.sqlite.thread import Done, Run
from restante.stores.sqlite.turnstile import OPEN
from restante.stores.sqlite.worker import Group

from .loop import Process, VirtualLoop

WRITER = "restante-write"
WORK_SECONDS = (0.0001, 0.003)
LONG_SECONDS = (0.05, 1.5)
LONG = 0.01
TELL_SECONDS = (0.0, 0.002)


class Disk:
    """What threads do for one server, over all its lives. `slow` multiplies how long it takes; while it is
    `failing`, nothing can be written. `before` and `after` are called, once, around the next commit."""

    process: Process

    def __init__(self, loop: VirtualLoop, seed: str, number: int) -> None:
        self.loop = loop
        self.number = number
        self.chance = random.Random(f"{seed} disk {number}")
        self.slow = 1.0
        self.failing = False
        self.before: Callable[[], None] | None = None
        self.after: Callable[[], None] | None = None
        self.wrote: Callable[[Group], None] = lambda group: None
        self.commits = 0
        self.apart = self.chance.random() < 0.5  # whether the writer works as a process of its own does

    def thread(self, name: str, run: Run) -> "Hand":
        return Hand(self, name, run)

    def seconds(self) -> float:
        span = LONG_SECONDS if self.chance.random() < LONG else WORK_SECONDS
        return self.slow * self.chance.uniform(*span)


class Hand:
    """Does one group after the other."""

    def __init__(self, disk: Disk, name: str, run: Run) -> None:
        self._disk = disk
        self._loop = disk.loop
        self._name = name
        self._run = run
        self._writes = name == WRITER
        apart = self._writes and disk.apart
        self.enough: int | None = ENOUGH if apart else None
        self.ahead: int = AHEAD if apart else 1
        self._free = 0.0
        self._told = 0.0

    def give(self, group: Group, done: Done) -> None:
        self._free = max(self._free, self._loop.time()) + self._disk.seconds()
        self._loop.call_at(self._free, self._work, group, done)

    async def close(self) -> None: ...

    def _work(self, group: Group, done: Done) -> None:
        disk = self._disk
        if self._writes and _called(disk, "before"):
            return
        self._do(group)
        if self._writes:
            disk.commits += 1
            disk.wrote(group)
            if _called(disk, "after"):
                return
        self._told = max(self._told, self._loop.time() + disk.chance.uniform(*TELL_SECONDS))
        self._loop.call_at(self._told, done, group)

    def _do(self, group: Group) -> None:
        kinds = " ".join(job.kind for job in group)
        self._loop.trace.tell(self._loop.time(), self._name, "does", kinds)
        try:
            if self._writes and self._disk.failing:
                raise apsw.FullError("database or disk is full")
            self._run(group, OPEN)  # type: ignore[arg-type]
        except Exception as error:
            for job in group:
                job.error = job.error or wrong(error)


def _called(disk: Any, name: str) -> bool:
    """Whether the server was killed here."""
    call = getattr(disk, name)
    setattr(disk, name, None)
    if call is not None:
        call()
    return call is not None
