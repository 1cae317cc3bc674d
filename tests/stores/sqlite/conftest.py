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
        super().__init__(self.name, "")

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
        self.disk.log.append(("write", self.kind))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if not self.disk.syncing:
            raise apsw.IOError("no sync")
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
    disk.full, disk.syncing = False, True
    await store.close()
