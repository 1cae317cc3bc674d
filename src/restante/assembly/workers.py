"""Several processes on the same addresses: started, watched, replaced one by one, ended together.

The addresses are opened once, here, and handed down, so that a process that ends takes no waiting connection
with it. A process says that it is ready as it would to a service manager: by a datagram to NOTIFY_SOCKET.

- SIGHUP replaces the processes one after the other: the new one is ready before the old one is told to drain;
- SIGTERM and SIGINT are passed on, and waited for;
- should this process die, the others see their standard input end, and drain;
- a process that ends by itself is started again, after a pause that grows while it keeps happening; one that
  ends before the first was ever ready ends everything, because its settings are wrong.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ..telemetry.prometheus import SHARED

log = logging.getLogger("restante.workers")

READY_SECONDS = 60.0
"""How long a process may take until it is ready; a migration may be going on."""

PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 30.0
"""Before a process is started again; doubled each time."""

HEALTHY_SECONDS = 60.0
"""A process that lasted longer than this is started again after the first pause."""

ENDED_BADLY = 1


class Workers:
    """`command` starts one process; it is given the listeners' handles as `--inherit 5,6`."""

    def __init__(self, command: Sequence[str], count: int, listeners: Sequence[socket.socket]) -> None:
        self._command = command
        self._count = count
        self._handles = [listener.fileno() for listener in listeners]
        self._stopping = asyncio.Event()
        self._renew = asyncio.Event()
        self._places: list[Place] = []

    async def run(self, announce: Callable[[], None]) -> int:
        """Until SIGTERM or SIGINT; the exit code. `announce` is called once all are ready."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._renew.set)
        with tempfile.TemporaryDirectory() as folder:
            self._places = [
                Place(self._command, self._handles, Path(folder) / str(number))
                for number in range(self._count)
            ]
            return await self._run(announce)

    async def _run(self, announce: Callable[[], None]) -> int:
        started = await asyncio.gather(*[place.start() for place in self._places])
        failed = [place.code for place, ready in zip(self._places, started, strict=True) if not ready]
        if failed:
            await self._end()
            return next((code for code in failed if code), ENDED_BADLY)
        announce()
        watching = [asyncio.ensure_future(self._watch(place)) for place in self._places]
        renewing = asyncio.ensure_future(self._renewing())
        await self._stopping.wait()
        renewing.cancel()
        await asyncio.wait([renewing])
        await self._end()
        await asyncio.gather(*watching)
        return max((place.code or 0) and ENDED_BADLY for place in self._places)

    async def _end(self) -> None:
        await asyncio.gather(*[place.end() for place in self._places])

    async def _watch(self, place: "Place") -> None:
        pause = PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await place.ended()
            if self._stopping.is_set():
                return
            if loop.time() - began > HEALTHY_SECONDS:
                pause = PAUSE_SECONDS
            log.error("a process ended with %s; another is started in %.1f s", place.code, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return
            pause = min(pause * 2, MAX_PAUSE_SECONDS)
            await place.start()

    async def _renewing(self) -> None:
        while True:
            await self._renew.wait()
            self._renew.clear()
            log.info("all processes are replaced, one by one")
            for place in self._places:
                if not await place.replace():
                    log.error("the new process did not start: the others stay as they are")
                    break
            else:
                log.info("all processes are new")


class Place:
    """One of the processes, and whoever follows it. `notices` is where it says that it is ready."""

    def __init__(self, command: Sequence[str], handles: Sequence[int], notices: Path) -> None:
        self._command = [*command, "--inherit", ",".join(map(str, handles))]
        self._handles = handles
        self._notices = notices
        self._child: asyncio.subprocess.Process | None = None
        self._changing = asyncio.Lock()
        self._ending = False

    @property
    def code(self) -> int | None:
        """With which the last process ended."""
        return None if self._child is None else self._child.returncode

    async def start(self) -> bool:
        """Starts a process; False where it ended, or did not get ready in time and was ended."""
        async with self._changing:
            if self._ending:
                return False
            self._child, ready = await self._begin()
            return ready

    async def replace(self) -> bool:
        """Starts another process and, once it is ready, drains the one before. False: nothing changed."""
        async with self._changing:
            if self._ending:
                return False
            child, ready = await self._begin()
            if not ready:
                return False
            before, self._child = self._child, child
        if before is not None:
            await _drained(before, signal.SIGHUP)
        return True

    async def ended(self) -> None:
        """Until the process that is here at the moment, or any that replaces it, has ended by itself."""
        while (child := self._child) is not None:
            await child.wait()
            if child is self._child:
                return

    async def end(self) -> None:
        """Drains it; nobody follows."""
        self._ending = True
        async with self._changing:
            if self._child is not None:
                await _drained(self._child)

    async def _begin(self) -> tuple[asyncio.subprocess.Process, bool]:
        loop = asyncio.get_running_loop()
        with suppress(FileNotFoundError):
            self._notices.unlink()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(str(self._notices))
            notices.setblocking(False)
            child = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,  # ends when we do, however that comes about
                pass_fds=self._handles,
                env={**os.environ, "NOTIFY_SOCKET": str(self._notices), SHARED: str(self._notices.parent)},
            )
            heard = asyncio.ensure_future(loop.sock_recv(notices, 64))
            over = asyncio.ensure_future(child.wait())
            await asyncio.wait([heard, over], timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            ready = heard.done() and child.returncode is None
            for task in (heard, over):
                task.cancel()
            await asyncio.wait([heard, over])
        if not ready:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        return child, ready


async def _drained(child: asyncio.subprocess.Process, number: signal.Signals = signal.SIGTERM) -> None:
    """It finishes what it has begun, for as long as it was set to; by SIGHUP it lets callers go gently."""
    with suppress(ProcessLookupError):
        child.send_signal(number)
    await child.wait()


def worker_command(arguments: Sequence[str]) -> list[str]:
    """The command of one process of `restante serve ARGUMENTS`."""
    return [sys.executable, "-m", "restante", "serve", *arguments, "--workers", "1"]
