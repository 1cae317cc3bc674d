"""Commands as real processes that start at once: forked from one that has imported everything.

To start an interpreter and to import is most of what a short command costs. Here that is done once per
process of tests, by a process that then forks for each command: a pid, an environment, a folder, descriptors,
an exit code and signals of its own, as ever. What is left out is the start itself, which some tests
(test_serve, test_readme, test_workers) keep: they start the command as a user does.
"""

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import io
import os
import pickle
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, NoReturn

import restante

from . import faults

ROOT = Path(__file__).parents[1]
ROOMS = ("assembly", "cli", "demo", "gateway", "outbound", "runner", "service", "stores", "webhooks")
SPARE = 500
"""Descriptors from here on are in nobody's way."""

LENGTH = 4
MOST = 64
"""Descriptors that are passed on."""

SUBREAPER = 36
"""To prctl: whom orphans are given to (Linux)."""


class Popen(subprocess.Popen):
    """A `subprocess.Popen` of `python -m MODULE …` or `python FILE …`, by this interpreter."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest) -> None:  # type: ignore[no-untyped-def]
        _, _, _, *pipes = rest[:9]
        session = rest[-2]
        program, *words = args
        assert program == sys.executable and (words[0] == "-m" or words[0].endswith(".py")), args
        standard = [end if end != -1 else place for place, end in enumerate((pipes[0], pipes[3], pipes[5]))]
        self.pid = _mould().cast(
            {
                "words": words,
                "folder": os.path.abspath(cwd or os.getcwd()),
                "environment": dict(os.environ if env is None else env),
                "session": bool(session),
                "places": [0, 1, 2, *pass_fds],
            },
            [*standard, *pass_fds],
        )
        self._child_created = True
        self._close_pipe_fds(*pipes)


if sys.platform != "linux":  # no prctl
    Popen = subprocess.Popen  # type: ignore[misc]


def run(
    command: "list[str] | tuple[str, ...]", *, input: Any = None, timeout: float, **how: Any
) -> "subprocess.CompletedProcess[Any]":
    """As `subprocess.run`, with what it prints."""
    how = {"stdout": PIPE, "stderr": PIPE, **how}
    given = DEVNULL if input is None else PIPE
    with Popen(list(command), stdin=given, **how) as child:
        try:
            printed, errors = child.communicate(input, timeout=timeout)
        except BaseException:
            child.kill()
            raise
    return subprocess.CompletedProcess(child.args, child.returncode, printed, errors)


class Mould:
    """The process that forks."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=DEVNULL,
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for the tests
            )

    def cast(self, what: dict[str, Any], descriptors: list[int]) -> int:
        """The pid of a new child of ours."""
        message = pickle.dumps(what)
        with _adopting():
            socket.send_fds(self._ours, [len(message).to_bytes(LENGTH, "big")], descriptors)
            self._ours.sendall(message)
            return int.from_bytes(_exactly(self._ours, LENGTH), "big")

    def close(self) -> None:
        self._ours.close()
        self._child.wait()


_moulds: list[Mould] = []


def _mould() -> Mould:
    if not _moulds:
        _moulds.append(Mould())
        atexit.register(_moulds[0].close)
    return _moulds[0]


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Whoever loses its parent meanwhile becomes a child of this process."""
    prctl = ctypes.CDLL(None).prctl
    prctl(SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(SUBREAPER, 0)


def _exactly(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


# -- in the process that forks


def main() -> None:
    """Imports, then forks for each message. In the child: becomes what was asked for."""
    for room in ROOMS:
        package = importlib.import_module(f"{restante.__name__}.{room}")
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith((".__main__", ".child")):  # these are run
                importlib.import_module(module.name)
    gc.collect()
    gc.freeze()
    link = socket.socket(fileno=int(sys.argv[1]))
    while True:
        head, descriptors, _, _ = socket.recv_fds(link, LENGTH, MOST)
        if not head:
            return
        what = pickle.loads(_exactly(link, int.from_bytes(head, "big")))
        link.sendall(_cast(link, what, descriptors).to_bytes(LENGTH, "big"))
        for descriptor in descriptors:
            os.close(descriptor)


def _cast(link: socket.socket, what: dict[str, Any], descriptors: list[int]) -> int:
    """The pid of a child that has lost its parent."""
    reading, writing = os.pipe()
    between = os.fork()
    if not between:
        if child := os.fork():
            os.write(writing, b"%d" % child)
            os._exit(0)
        link.close()
        os.close(reading)
        os.close(writing)
        _end(lambda: become(what, descriptors))
    os.close(writing)
    os.waitpid(between, 0)
    with open(reading, "rb") as told:
        return int(told.read())


def become(what: dict[str, Any], descriptors: list[int]) -> None:
    """Runs it to its end."""
    if what["session"]:
        os.setsid()
    spare = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, SPARE) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, place in zip(spare, what["places"], strict=True):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.chdir(what["folder"])
    os.environ.clear()
    os.environ.update(what["environment"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _reopen()
    faults.install_from_environment()
    first, *words = what["words"]
    if first == "-m":
        sys.path[0] = what["folder"]
        sys.argv = words
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(first).parent)
        sys.argv = [first, *words]
        runpy.run_path(first, run_name="__main__")


def _end(run: Callable[[], None]) -> NoReturn:
    """Runs it, and ends as an interpreter does, but for taking every object apart."""
    code = 0
    try:
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code and end.code is not code:
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except OSError:  # nobody reads
        code = 120
    finally:
        os._exit(code)


def _reopen() -> None:
    """The standard streams as an interpreter opens them when it starts."""
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    for name, place in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        raw = open(place, "rb" if name == "stdin" else "wb", 0, closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(
            raw if at_once and place else (io.BufferedWriter(raw) if place else io.BufferedReader(raw)),
            encoding="utf-8",
            errors="backslashreplace" if name == "stderr" else "strict",
            line_buffering=name == "stderr" or raw.isatty(),
            write_through=at_once and bool(place),
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    main()
