"""What one round of one peer needs, started and ended: the upstream, Redis, a database, the peer itself.

Everything a peer writes is in a folder of its own that is removed; a round begins with nothing stored. What
was started is ended with SIGKILL, children and all: nothing of it is to be kept.
"""

import asyncio
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
from tests.postgres import Server

from .roster import ADMIN, BENCH, HOST, NODE, REDIS, SERVER, SERVICE, UPSTREAM, Peer, Place

START_SECONDS = 40.0
END_SECONDS = 10.0
LOAD_CORE = 1

# As a server of one's own is by default, not as tests have it.
POSTGRES = {
    "autovacuum": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
}


def pinned(command: list[str]) -> list[str]:
    """The command on the core of the load, where the machine has another one."""
    cores = os.cpu_count() or 1
    return ["taskset", "-c", str(LOAD_CORE), *command] if cores > 1 and shutil.which("taskset") else command


class Child:
    """A process that is started at once and ended when the block ends, with all that it started."""

    def __init__(self, command: list[str], *, environment: dict[str, str], folder: Path) -> None:
        self.log = folder / f"{Path(command[0]).name}.log"
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Returns when none of them is left, nor the ports they had."""
        all_of_it = family(self._process.pid)
        for number in all_of_it:  # parents first: some start another for one that ended
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self._process.wait(END_SECONDS)
        patience = time.monotonic() + END_SECONDS
        while any(map(lives, all_of_it)):
            if time.monotonic() > patience:
                raise RuntimeError(f"{self._process.args} has not ended after {END_SECONDS:.0f} s")
            time.sleep(0.01)

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]


def family(number: int) -> list[int]:
    """A process and all that descend from it."""
    found = [number]
    for one in found:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def lives(number: int) -> bool:
    """A zombie does not: only its parent has not looked yet."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@contextlib.contextmanager
def children(commands: list[list[str]], environment: dict[str, str], folder: Path) -> Iterator[list[Child]]:
    started: list[Child] = []
    try:
        for command in commands:
            started.append(Child(command, environment=environment, folder=folder))
        yield started
    finally:
        for child in started:
            child.end()


def listening(port: int, among: list[Child]) -> None:
    """Until something listens on `port`."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        for child in among:
            if not child.alive():
                raise RuntimeError(f"ended while it started: {child.said()}")
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, port), 1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on {port} after {START_SECONDS:.0f} s")


def free(*ports: int) -> None:
    """Until nothing listens where the peer is looked for, and no connection of the one before is left."""
    patience = time.monotonic() + END_SECONDS
    for port in ports:
        while not can_bind(port):
            if time.monotonic() > patience:
                raise RuntimeError(f"port {port} is in use: end what listens there")
            time.sleep(0.05)


def can_bind(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True


def post(port: int, path: str, body: str) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=START_SECONDS)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{path}: {answer.status} {said[:300]!r}")


class Upstream:
    """`bench/upstream.py`, which answers at once; `silence` puts one in its place that never answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._child = self._start()

    def _start(self, *flags: str) -> Child:
        command = pinned([sys.executable, str(BENCH / "upstream.py"), str(UPSTREAM), *flags])
        child = Child(command, environment=dict(os.environ), folder=self._folder)
        listening(UPSTREAM, [child])
        return child

    def silence(self) -> None:
        self._child.end()
        self._child = self._start("--silent")

    def end(self) -> None:
        self._child.end()


def environment(peer: Peer, place: Place) -> dict[str, str]:
    """What the peers' files read, and the ports of Restate's server."""
    redis = f"redis://{HOST}:{REDIS}/0"
    sqlite = f"sqlite:///{place.folder}/peer.db"
    psycopg = place.database.replace("postgresql://", "postgresql+psycopg://", 1)
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {
        **kept,
        "PYTHONPATH": str(BENCH.parent / "src" if peer.ours else BENCH),
        "PEER_UPSTREAM": f"http://{HOST}:{UPSTREAM}",
        "PEER_REDIS": redis,
        "PEER_POSTGRES": place.database,
        "PEER_DATABASE": psycopg or sqlite,
        "BENTOML_HOME": str(place.folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "RESTATE_BASE_DIR": str(place.folder / "restate"),
        "RESTATE_INGRESS__BIND_PORT": str(SERVER),
        "RESTATE_ADMIN__BIND_PORT": str(ADMIN),
        "RESTATE_DISABLE_TELEMETRY": "true",
    }


def redis_command(peer: Peer, folder: Path) -> list[str]:
    command = ["redis-server", "--bind", HOST, "--port", str(REDIS), "--dir", str(folder)]
    return [*command, "--appendonly", "yes", "--appendfsync", "always"] if "fsync" in peer.store else command


class Database:
    """One PostgreSQL for the whole run, fsync on; a database for each round of each peer."""

    def __init__(self) -> None:
        self._server = Server(fsync=True, **POSTGRES)

    async def fresh(self) -> str:
        return await self._server.database(migrated=False)

    async def settle(self) -> None:
        """Nothing of the round before is written while the next one is measured."""
        await self._server.run("CHECKPOINT")

    async def drop(self, url: str) -> None:
        await self._server.drop(url)

    async def version(self) -> str:
        connection = await asyncpg.connect(self._server.url("postgres"))
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()

    def close(self) -> None:
        self._server.close()


def run(command: list[str], environment: dict[str, str] | None = None, folder: Path | None = None) -> None:
    """To its end. Raises a RuntimeError with what it said where that was a failure."""
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-1000:]}")


@contextlib.asynccontextmanager
async def running(peer: Peer, cache: Path, database: Database | None) -> AsyncIterator[Upstream]:
    """The peer, listening and registered, on stores that are empty."""
    free(SERVER, SERVICE, ADMIN, REDIS, NODE, UPSTREAM)
    url = await database.fresh() if database is not None else ""
    folder = Path(tempfile.mkdtemp(prefix=f"peer-{peer.name.lower()}-"))
    place = Place(cache=cache, folder=folder, database=url)
    given = environment(peer, place)
    upstream = Upstream(folder)
    try:
        for command in peer.prepare(place):
            await asyncio.to_thread(run, command, given, folder)
        first = [redis_command(peer, folder)] if "redis" in peer.store else []
        with children(first, given, folder) as stores:
            for _ in first:
                listening(REDIS, stores)
            with children(peer.processes(place), given, folder) as processes:
                listening(SERVER, processes)
                if peer.register:
                    listening(SERVICE, processes)
                    listening(ADMIN, processes)
                    post(ADMIN, "/deployments", peer.register)
                yield upstream
    finally:
        upstream.end()
        shutil.rmtree(folder, ignore_errors=True)
        if database is not None:
            await database.drop(url)
            await database.settle()
