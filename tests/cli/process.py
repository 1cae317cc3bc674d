"""The command as a process of its own, what it prints, and a port to ask. Every wait is bounded."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType

from .. import forked

PATIENCE_SECONDS = 60.0
RESTANTE = (sys.executable, "-m", "restante")
LISTENS = re.compile(r"listens on +http://127\.0\.0\.1:(\d+)")


def environment(**variables: str) -> dict[str, str]:
    """Ours, without what the machine may say about Restante."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RESTANTE_")}
    return kept | variables


def run(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`restante …` to its end."""
    return forked.run(
        [*RESTANTE, *arguments],
        cwd=folder,
        env=environment(**variables),
        text=True,
        timeout=PATIENCE_SECONDS,
    )


class Running:
    """A command that goes on until it is told to stop. Use it as a context.

    `start`: what starts it; `subprocess.Popen` does as a shell would.
    """

    def __init__(
        self,
        *command: str,
        folder: Path,
        start: "type[subprocess.Popen[str]]" = forked.Popen,
        **variables: str,
    ) -> None:
        self.child = start(
            command,
            cwd=folder,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.printed: list[str] = []
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def port(self) -> int:
        """The port that is printed at the start."""
        with contextlib.suppress(Empty):
            while True:
                line = self._lines.get(timeout=PATIENCE_SECONDS)
                self.printed.append(line)
                if found := LISTENS.search(line):
                    return int(found[1])
                if not line:
                    break
        assert self.child.stderr is not None
        self.child.kill()
        raise AssertionError(f"it says no port: {self.printed} {self.child.stderr.read()}")

    def printed_until(self, end: str) -> str:
        """All it has printed, up to a line that holds `end`."""
        while not (self.printed and end in self.printed[-1]):
            self.printed.append(self._lines.get(timeout=PATIENCE_SECONDS))
        return "".join(self.printed)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Signals it, waits for its end; exit code and standard error. `printed` is all it said then."""
        assert self.child.stderr is not None
        self.child.send_signal(number)
        code = self.child.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        self.printed += [line for line in self._lines.queue if line]
        return code, self.child.stderr.read()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self._lines.put(line)
        self._lines.put("")

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(PATIENCE_SECONDS)
        for stream in (self.child.stdout, self.child.stderr):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
