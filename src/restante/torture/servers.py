"""The servers under torture: started, killed, stopped, let go on, and started again, each on its own port.

One that ends without having been asked to is a finding by itself: `Died`.
"""

import asyncio
import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .plan import WITH_GATEWAY

START_SECONDS = 30.0
END_SECONDS = 25.0
"""Longer than a server takes that ends by itself because something in it hangs: `grace` and 15 s."""

ABORT_SECONDS = 2.0
LOOK_SECONDS = 0.02

STARTS = 3
AGAIN_SECONDS = 1.0
"""A database that has just been killed may not let it in yet: then it ends, and says so."""

PROGRAM = (sys.executable, "-m", "restante")
SERVE = (*PROGRAM, "serve")
CLOCKED = (sys.executable, "-m", "restante.torture.clocked")
"""The same, behind the name of a file that says by how much its clock is off, and `serve`."""


class Died(Exception):
    """A server ended by itself, or did not start."""


def end_with_us(how: signal.Signals = signal.SIGKILL) -> None:
    """In the child: it is ended so where this process is killed (Linux, prctl)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, how)


class Server:
    """One of them. `commands` are its program in one version or several, of which it begins with the first;
    each is given `--config FILE --listen HOST:PORT` and must understand it; with a `role`, that as well. It
    opens its port in any role: one without a gateway has there what is below /-/."""

    def __init__(
        self,
        number: int,
        *,
        config: Path,
        commands: Sequence[Sequence[str]] = (SERVE,),
        role: str | None = None,
    ) -> None:
        self.number = number
        self.port = _free_port()
        self.up = False
        self.busy = asyncio.Lock()  # of whoever does something to it
        self.log = config.parent / f"server-{number}.log"
        address = f"127.0.0.1:{self.port}"
        self._commands = commands
        self._version = 0
        self._flags = ["--config", str(config)]
        if role is None or role in WITH_GATEWAY:
            self._flags += ["--listen", address]
        else:  # whose own address is nobody's, and must be another one
            self._flags += ["--listen", "127.0.0.1:0", "--admin-listen", address]
        if role is not None:
            self._flags += ["--role", role]
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def versions(self) -> int:
        return len(self._commands)

    def change_version(self, *, back: bool) -> None:
        """From its next start on it is the next one; after the last one, where there is a way `back`, the
        first."""
        following = self._version + 1
        self._version = following % self.versions if back else min(following, self.versions - 1)

    @property
    def pids(self) -> list[int]:
        """Its process, and those it has started."""
        assert self._child is not None
        children = Path(f"/proc/{self._child.pid}/task/{self._child.pid}/children")
        with contextlib.suppress(OSError):
            return [self._child.pid, *map(int, children.read_text().split())]
        return [self._child.pid]

    async def start(self) -> None:
        """Until it lets callers in; one that ends before that is started again, as whoever runs it would.
        Raises `Died`."""
        for _ in range(STARTS - 1):
            with contextlib.suppress(Died):
                return await self._start()
            await asyncio.sleep(AGAIN_SECONDS)
        return await self._start()

    async def _start(self) -> None:
        self._child = self._started()
        for _ in range(int(START_SECONDS / LOOK_SECONDS)):
            self.check()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                self.up = True
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise Died(f"server {self.number} did not open its port within {START_SECONDS:g} s{self._last()}")

    def _started(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self._commands[self._version], *self._flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self.log.parent,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for us
                preexec_fn=end_with_us,
            )

    def check(self) -> None:
        """Raises `Died` where it has ended by itself."""
        if self._child is not None and (code := self._child.poll()) is not None:
            raise Died(f"server {self.number} ended by itself, with {code}{self._last()}")

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """SIGTERM, and until it has ended; its exit code."""
        return await self._end(signal.SIGTERM)

    def drop(self) -> None:
        """Whatever it is at: it is gone when this returns."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def stop(self) -> None:
        """SIGSTOP: from now on it does nothing, and does not know."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    async def _end(self, how: signal.Signals) -> int:
        if self._child is None:
            return 0
        self.check()
        self.up = False
        child, self._child = self._child, None
        child.send_signal(how)
        for _ in range(int(END_SECONDS / LOOK_SECONDS)):
            if (code := child.poll()) is not None:
                return code
            await asyncio.sleep(LOOK_SECONDS)
        child.send_signal(signal.SIGABRT)  # where it stands is then at the end of its log
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(ABORT_SECONDS)
        child.kill()
        child.wait()
        raise Died(f"server {self.number} did not end within {END_SECONDS:g} s{self._last()}")

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)

    def _last(self) -> str:
        """The end of what it wrote."""
        lines = self.log.read_text(errors="replace").splitlines()[-5:]
        return ": " + " | ".join(lines) if lines else ""


def _environment() -> dict[str, str]:
    """Ours, without settings; and who is aborted says where it stood."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RESTANTE_")}
    return {**kept, "PYTHONFAULTHANDLER": "1"}


def _free_port() -> int:
    """One that nobody has, from below those that the system takes for connections that go out: it is to be
    had again after a kill."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Died("there is no free port between 12000 and 32000")
