"""A real pgbouncer in transaction mode, where it is installed, for `make check-all`; begun and ended here."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from restante.torture.postgres import PATIENCE_SECONDS, PAUSE_SECONDS, USER

from .postgres import Server

PORT = 6432
SESSIONS = 4
"""So few that each transaction has another one."""


def installed() -> str | None:
    """Its program."""
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


class Bouncer:
    """Stands before all databases of `server`; `url` leads through it."""

    def __init__(self, server: Server) -> None:
        program = installed()
        assert program is not None
        self.folder = Path(tempfile.mkdtemp(prefix="restante-bouncer-"))
        self._server = server
        (self.folder / "users").write_text(f'"{USER}" ""\n')
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server.folder} port=5432\n"
            "[pgbouncer]\npool_mode = transaction\nauth_type = trust\n"
            f"auth_file = {self.folder}/users\nunix_socket_dir = {self.folder}\nlisten_port = {PORT}\n"
            f"default_pool_size = {SESSIONS}\nserver_round_robin = 1\nserver_idle_timeout = 1\n"
        )
        user = None
        if os.getuid() == 0:  # it refuses to run as root
            entry = pwd.getpwnam("nobody")
            user = entry.pw_uid
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        self._child = subprocess.Popen(
            [program, str(self.folder / "pgbouncer.ini")],
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
            cwd=self.folder,
            start_new_session=True,
        )
        for _ in range(int(PATIENCE_SECONDS / PAUSE_SECONDS)):
            assert self._child.poll() is None, (self.folder / "log").read_text()
            if (self.folder / f".s.PGSQL.{PORT}").exists():
                return
            time.sleep(PAUSE_SECONDS)
        raise AssertionError("pgbouncer did not start")

    def url(self, direct: str) -> str:
        """The way through it to the database of a direct URL."""
        place = direct.partition("?")[0]
        return f"{place}?host={self.folder}&port={PORT}&pooler=on"

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.terminate()
        self._child.wait(PATIENCE_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)
