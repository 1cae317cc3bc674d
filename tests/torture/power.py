"""A disk that keeps what was flushed, and nothing else, when its power is cut.

What the system has been given it writes some time; what was flushed it has written. So before anything is
overwritten that is not flushed yet, what was there is noted in a file (`FILE.undo`, outside the folder,
whose disk may be full), and forgotten at the next flush. `cut` puts the files back to their last flush: what
a machine may find after a power cut, at worst."""

import itertools
import os
import struct
from contextlib import suppress
from pathlib import Path

import apsw

NOTE = struct.Struct("<qqq")
"""Length of the file before, where something was overwritten, and how much follows that was there."""

_names = itertools.count()


class Disk(apsw.VFS):
    def __init__(self) -> None:
        self.name = f"power{next(_names)}"
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "File":
        return File(name, flags)

    def xDelete(self, name: str, sync_directory: bool) -> None:
        super().xDelete(name, sync_directory)
        undo_of(name).unlink(missing_ok=True)


class File(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._note(offset, len(data))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._note(size, max(self.xFileSize() - size, 0))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        if self._path:
            undo_of(self._path).unlink(missing_ok=True)

    def _note(self, offset: int, size: int) -> None:
        if not self._path:  # a temporary file: nobody looks for it after a cut
            return
        length = self.xFileSize()
        there = max(min(size, length - offset), 0)
        before = self.xRead(there, offset) if there else b""
        with undo_of(self._path).open("ab") as undo:
            undo.write(NOTE.pack(length, offset, len(before)) + before)


def undo_of(path: str) -> Path:
    place = Path(path)
    return place.parent.parent / f"{place.name}.undo"


def cut(folder: Path) -> None:
    """The power fails: every file in `folder` is as it was when it was last flushed. Nobody has it open."""
    for undo in folder.parent.glob("*.undo"):
        noted = undo.read_bytes()
        notes = []
        place = 0
        while place + NOTE.size <= len(noted):
            length, offset, size = NOTE.unpack_from(noted, place)
            place += NOTE.size
            notes.append((length, offset, noted[place : place + size]))
            place += size
        with (folder / undo.stem).open("r+b") as file:
            for length, offset, before in reversed(notes):
                file.seek(offset)
                file.write(before)
                file.truncate(length)
        undo.unlink()
    for shared in folder.glob("*-shm"):
        with suppress(FileNotFoundError):
            os.unlink(shared)
