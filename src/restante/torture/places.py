"""Where the servers' store is while it is tortured: a file, or a PostgreSQL of our own or of somebody's.

Each says by which faults it can be hit, beside those of the servers themselves.
"""

import contextlib
import os
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

MIB = 1024 * 1024
SPARE_BYTES = 64 * 1024
FULL = "disk full"


class Place(Protocol):
    """`url` is the store's. `how` says, for the report, by what means its disk is full. `folder` is where all
    of it lies; None: elsewhere."""

    @property
    def url(self) -> str: ...

    @property
    def how(self) -> str: ...

    @property
    def folder(self) -> Path | None: ...

    @property
    def shared(self) -> bool:
        """Whether several servers may share it."""
        ...

    @property
    def kinds(self) -> Sequence[str]:
        """The faults there are."""
        ...

    def hit(self, kind: str, pids: Sequence[int]) -> AbstractAsyncContextManager[float]:
        """Inside, the fault is there; yields how much of it. `pids` are those of the servers."""
        ...


class File:
    """An SQLite file, on a small disk of its own where one can be mounted."""

    shared = False
    kinds = (FULL,)

    def __init__(self, folder: Path, *, how: str) -> None:
        self.folder: Path | None = folder
        self._folder = folder
        self.url = f"sqlite:///{folder}/torture.db"
        self.how = how

    @asynccontextmanager
    async def hit(self, kind: str, pids: Sequence[int]) -> AsyncIterator[float]:
        with filled(self._folder) if self._folder.is_mount() else self._bounded(pids):
            yield 0.0

    @contextlib.contextmanager
    def _bounded(self, pids: Sequence[int]) -> Iterator[None]:
        """No file of the servers may become longer than the log is now (RLIMIT_FSIZE)."""
        log = Path(self.url.removeprefix("sqlite:///") + "-wal")
        size = (log.stat().st_size if log.exists() else 0) + SPARE_BYTES
        before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            for pid, limits in before.items():
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def file_in(folder: Path, *, minutes: float) -> Iterator[File]:
    """A place for a file in `folder`."""
    size = int(min(128 + 24 * minutes, 2048)) * MIB
    with small_disk(folder / "disk", size=size) as how:
        yield File(folder / "disk", how=how or "a limit on the size of files, reached")


@contextlib.contextmanager
def small_disk(folder: Path, *, size: int, options: str = "") -> Iterator[str | None]:
    """Makes `folder` a disk of its own in memory, of `size` bytes; yields it in words, or None, and a folder
    like any other, where that cannot be: who is not root may not mount."""
    folder.mkdir()
    mounted = _run("mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(folder))
    try:
        yield f"a disk of {size // MIB} MiB, filled" if mounted else None
    finally:
        if mounted and not _run("umount", str(folder)):
            _run("umount", "-l", str(folder))


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is left on that disk."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(MIB))
                file.flush()
        with contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))
    try:
        yield
    finally:
        filler.unlink()


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
