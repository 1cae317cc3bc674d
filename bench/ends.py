"""What a benchmark starts and ends: servers, limits beside them, upstreams, stores, a PostgreSQL.

The load and the upstream have the second core. A server has the first one or, without a `core`, whichever the
system gives it, as where nobody pins it. The PostgreSQL is a real one, as durable as a careful installation:
`fsync`, `synchronous_commit`, `full_page_writes` and `autovacuum` are on.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))  # for tests.postgres, which starts a PostgreSQL from a wheel

SQLITE, POSTGRESQL = "sqlite", "postgresql"
STORES = (SQLITE, POSTGRESQL)

LOAD_CORE = 1
PATIENCE_SECONDS = 180.0
"""For a start or an end: a server with a million queued transactions reads through them when it starts."""

POSTGRES = {
    "autovacuum": "on",
    "full_page_writes": "on",
    "max_wal_size": "4GB",
    "shared_buffers": "512MB",
    "synchronous_commit": "on",
}
"""Beside `fsync = on`."""

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1024
TICKS = os.sysconf("SC_CLK_TCK")


def pinned(core: int | None, command: list[str]) -> list[str]:
    """The command on one core, where the machine has more than one and lets us choose. None: on any."""
    if core is None or (os.cpu_count() or 1) < 2 or not shutil.which("taskset"):
        return command
    return ["taskset", "-c", str(core), *command]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Process:
    """A child that listens on a port of 127.0.0.1. It is ended when the block ends."""

    def __init__(self, *command: str, port: int, core: int | None = None) -> None:
        self.port = port
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (it is closed at the end)
        self._child = subprocess.Popen(
            pinned(core, [sys.executable, *command]), stdout=subprocess.DEVNULL, stderr=self._log, cwd=ROOT
        )
        self._killed = False
        self._proc = Path(f"/proc/{self._child.pid}")

    def __enter__(self) -> Self:
        """Once it listens. Raises `SystemExit` with what it said where it does not."""
        patience = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < patience and self._child.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            time.sleep(0.02)
        self.kill()
        raise SystemExit(f"{self._child.args} did not start:\n{self._said()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is not None:
            if not self._killed:
                raise SystemExit(f"{self._child.args} ended by itself:\n{self._said()}") from error
        else:
            self._child.terminate()
            try:
                self._child.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-2000:]

    def kill(self) -> None:
        """At once, with its children: what waits for an upstream that never answers would be waited for."""
        self._killed = self._child.poll() is None
        family = []
        with contextlib.suppress(OSError):  # it has ended already
            family = self.all()
            for one in reversed(family):
                os.kill(int(one.name), signal.SIGKILL)
        self._child.wait(PATIENCE_SECONDS)
        patience = time.monotonic() + PATIENCE_SECONDS
        while any(one.exists() for one in family) and time.monotonic() < patience:
            time.sleep(0.01)  # what it has open is taken from it when it is gone

    def all(self) -> list[Path]:
        """Its and its children's folders below /proc."""
        children = (self._proc / "task" / self._proc.name / "children").read_text().split()
        return [self._proc, *(Path("/proc", number) for number in children)]

    def resident_kib(self) -> float:
        return sum(int((one / "statm").read_text().split()[1]) for one in self.all()) * PAGE_KIB

    def peak_kib(self) -> float:
        """The most that each of them ever had, added."""
        found = (re.search(r"VmHWM:\s+(\d+)", (one / "status").read_text()) for one in self.all())
        return sum(float(peak[1]) for peak in found if peak)

    def processor_seconds(self) -> float:
        stats = [(one / "stat").read_text().rpartition(")")[2].split() for one in self.all()]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICKS

    def handles(self) -> int:
        return len(os.listdir(self._proc / "fd"))


def serve(
    store: str, upstream: int, *, core: int | None = None, more: str = "", **settings: object
) -> Process:
    """Restante in front of the upstream on that port. `settings` are the upstream's, `more` is TOML."""
    port = free_port()
    lines = [f"{name} = {toml(value)}" for name, value in settings.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".toml", prefix="restante-bench-", delete=False) as config:
        config.write(
            f'listen = "127.0.0.1:{port}"\nstore = "{store}"\nlog_level = "error"\nmax_queued = 100000000\n'
            f'{more}\n[upstream]\nurl = "http://127.0.0.1:{upstream}"\n' + "\n".join(lines)
        )
    return Served("-m", "restante", "serve", "--config", config.name, port=port, core=core)


class Served(Process):
    """One whose configuration is gone when it has read it."""

    def __enter__(self) -> Self:
        try:
            return super().__enter__()
        finally:
            Path(str(self._child.args[-1])).unlink()  # type: ignore[index]


def toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int | float) else f'"{value}"'


def upstream(*flags: str) -> Process:
    """`--silent` answers nothing; `--echo` answers what it was sent."""
    port = free_port()
    return Process(str(HERE / "upstream.py"), str(port), *flags, port=port, core=LOAD_CORE)


def limit(name: str, *arguments: object) -> Process:
    """One of limits.py, on the first core."""
    port = free_port()
    return Process(str(HERE / "limits.py"), name, str(port), *map(str, arguments), port=port, core=0)


class Stores:
    """Fresh stores of both kinds: in a folder, and in a PostgreSQL that is started when it is asked for."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="restante-bench-", dir=folder)
        self.path = Path(self._folder.name)
        self._postgres: object | None = None
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._postgres is not None:
            self._postgres.close()  # type: ignore[attr-defined]
        self._folder.cleanup()

    @contextlib.contextmanager
    def fresh(self, kind: str, *, like: str | None = None) -> Iterator[str]:
        """The URL of an empty one, or of a copy; it is gone after the block."""
        if kind == SQLITE:
            self._number += 1
            path = self.path / f"{self._number}.db"
            if like is not None:
                shutil.copyfile(like.removeprefix("sqlite:///"), path)
                os.sync()  # or the commits that are measured would wait for it
            try:
                yield f"sqlite:///{path}"
            finally:
                for suffix in ("", "-wal", "-shm", ".lock"):
                    Path(f"{path}{suffix}").unlink(missing_ok=True)
            return
        url = asyncio.run(self._database(like))
        try:
            yield url
        finally:
            asyncio.run(self.postgres().drop(url))

    def postgres(self):  # type: ignore[no-untyped-def]
        """tests.postgres.Server, which only a checkout has. It ends with the thread that starts it."""
        if self._postgres is None:
            from tests.postgres import Server

            self._postgres = Server(fsync=True, **POSTGRES)
        return self._postgres

    async def _database(self, like: str | None) -> str:
        if like is None:
            return await self.postgres().database()
        self._number += 1
        name = f"copy{self._number}"
        source = like.partition("?")[0].rpartition("/")[2]
        await self.postgres().run(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY file_copy")
        os.sync()
        return self.postgres().url(name)

    def postgres_version(self) -> dict[str, str]:
        import asyncpg

        async def ask() -> str:
            connection = await asyncpg.connect(self.postgres().url("postgres"))
            try:
                return str(await connection.fetchval("SHOW server_version"))
            finally:
                await connection.close()

        return {"postgresql": asyncio.run(ask())}
