"""What only the SQLite store's tests need: its file, and a disk that breaks when told to."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore

_NAMES = itertools.count()


class Disk(apsw.VFS):
    """SQLite's way to the disk, written down, and refused where a test says so."""

    def __init__(self) -> None:
        self.name = f"test{next(_NAMES)}"
        self.full = False
        self.syncing = True
        self.log: list[tuple[str, str]] = []  # write or sync, file
        self.broken = 0
        self._kind = ""
        self._calls = self._times = 0
        super().__init__(self.name, "")

    def break_after(self, kind: str, calls: int, times: int) -> None:
        """Lets so many writes or syncs through, then refuses some."""
        self._kind, self._calls, self._times = kind, calls, times

    def mend(self) -> None:
        self.full, self.syncing, self._times = False, True, 0

    def check(self, kind: str) -> None:
        """Raises where the disk is to break now."""
        if kind == self._kind and self.broken < self._times:
            self._calls -= 1
            if self._calls < 0:
                self.broken += 1
                raise apsw.IOError("broken")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "DiskFile":
        return DiskFile(self, name, flags)


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self.disk = disk
        text = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self.kind = "wal" if text.endswith("-wal") else "db"
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self.disk.full:
            raise apsw.FullError("no room")
        self.disk.check("write")
        self.disk.log.append(("write", self.kind))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if not self.disk.syncing:
            raise apsw.IOError("no sync")
        self.disk.check("sync")
        self.disk.log.append(("sync", self.kind))
        super().xSync(flags)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.unregister()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "restante.db"


@pytest.fixture
async def store(path: Path, disk: Disk) -> AsyncIterator[SQLiteStore]:
    """On the disk that can be broken."""
    store = await SQLiteStore.open(str(path), limits=Limits(), vfs=disk.name)
    yield store
    disk.mend()
    await store.close()
