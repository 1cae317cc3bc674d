"""A server in the simulation: started, killed at any step, stopped, restarted; one at a time has the file."""

import asyncio
import os
import random
from contextlib import suppress
from functools import partial
from typing import Any

from restante.assembly import start
from restante.assembly.serve import Running
from restante.config import Settings
from restante.core.clock import SECOND
from restante.core.policy import Limits
from restante.outbound import HTTPCourier, HTTPSender, SystemClock
from restante.ports import Store
from restante.stores.sqlite.opening import OpenFile

from .disk import Disk
from .loop import EPOCH, Process, VirtualLoop
from .network import Network, Socket
from .shared import File

START_SECONDS = 60.0


class Clock(SystemClock):
    """The process's own, which may be off."""

    def __init__(self, loop: VirtualLoop, node: "Node") -> None:
        self._virtual, self._node = loop, node

    def now(self) -> int:
        return int((EPOCH + self._virtual.time() + self._node.skew) * SECOND)


class Chance:
    """A `Chance` from the seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def fraction(self) -> float:
        return self._random.random()


class Node:
    """`number` and `port` are kept over its lives; so is by how many seconds its clock is off, `skew`."""

    def __init__(
        self,
        loop: VirtualLoop,
        network: Network,
        file: File,
        settings: Settings,
        *,
        seed: str,
        number: int,
        port: int,
    ) -> None:
        self.number = number
        self.port = port
        self.skew = 0.0
        self.lives = 0
        self.up = False
        self.settings = settings
        self.process: Process | None = None
        self.disk = Disk(loop, seed, number)
        if file.several:
            self.disk.wrote = partial(file.wrote, self.disk)
        self._loop, self._network, self._file, self._seed = loop, network, file, seed
        self._running: Running | None = None
        self._ended: asyncio.Event | None = None
        self._over: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Until it lets callers in, or is killed before."""
        self.lives += 1
        process = self.process = Process(self._loop, f"server {self.number}.{self.lives}")
        process.killed = self.kill
        self.disk.process = process
        up = self._loop.create_future()

        def ready() -> None:
            if not up.done():
                up.set_result(None)

        self._over = process.run(self._live(process, ready))
        self._loop.trace.tell(self._loop.time(), process.name, "starts")
        async with asyncio.timeout(START_SECONDS):
            while not up.done() and process.alive:
                await asyncio.sleep(0.01)

    async def open(self, url: str, *, limits: Limits) -> Store:
        """The store, whatever the URL."""
        return await self._file.open(self.disk, limits=limits)

    async def _live(self, process: Process, ready: Any) -> None:
        listener: Any = Socket(-1, self.port, 0)
        settings = self.settings
        running = await start(
            settings,
            opened=self.open,
            sender=HTTPSender(now=self._loop.time),
            courier=HTTPCourier(settings.policy.webhooks),
            clock=Clock(self._loop, self),
            chance=Chance(f"{self._seed} {process.name}"),
            listeners=[listener],
        )
        self._running = running
        ended = self._ended = asyncio.Event()
        while self.port not in self._network.servers:
            await asyncio.sleep(0.001)
        self.up = True
        ready()
        await ended.wait()
        await running.stop()

    async def terminate(self) -> None:
        """As SIGTERM does: it drains, and ends."""
        process, over, ended = self.process, self._over, self._ended
        if process is None or over is None or ended is None or not process.alive:
            return
        self.up = False
        process.go_on()
        self._loop.trace.tell(self._loop.time(), process.name, "is asked to end")
        self._loop.call_soon(ended.set, context=process.context)
        while process.alive and not over.done():
            await asyncio.sleep(0.05)
        if process.alive:
            over.result()
            self._bury(process)

    def kill(self) -> None:
        """As kill -9 does: what is committed is there, and nothing else."""
        process = self.process
        if process is None or not process.alive:
            return
        self._loop.trace.tell(self._loop.time(), process.name, "is killed")
        self._bury(process)

    def _bury(self, process: Process) -> None:
        self.up = False
        self._running = self._ended = None
        process.end()
        self._network.forget(process)
        if self._file.several:
            self._file.gone(self.disk)
        for made in process.made:
            if isinstance(made, OpenFile):
                _let_go(made)
        process.made.clear()


def _let_go(file: OpenFile) -> None:
    """As the system does for a process that is gone. A store that was closed has done so itself."""
    with suppress(OSError):
        os.fstat(file.lock)
        file.close()
