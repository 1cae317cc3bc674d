"""The folder of data keys: one small file each, sealed under a master key, mode 0600.

A key is on disk, with its folder, before anything is sealed under it. Several processes may share the
folder: a file comes to be under its name whole, and is never written to again. What makes, replaces or
destroys one holds the folder's lock meanwhile, so that two make one, and nobody brings back what somebody
else destroyed.
"""

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..core.errors import SettingError
from ..core.masterkey import KEY_BYTES
from .envelope import NotSealedHere
from .masters import FOLDER, Masters, UnknownMaster

SUFFIX = ".key"
DRAFT = ".draft-"
LOCK = ".lock"
LARGEST = 1024
"""Bytes of a key's file at most."""

IDENTITY = "identity"
"""The one key that is never destroyed: it tells the folder from all others."""

CHANCE = 4
"""Bytes."""

_NAME = re.compile(r"identity|[a-z]\d{4}-\d\d-\d\d-[0-9a-f]{8}")
_FOLDER_SETTING, _KEYS_SETTING = "sealing.folder", "sealing.keys"


class KeyFolder:
    """Raises `OSError` where the folder cannot be read or written, `SettingError` for a key that cannot be
    opened."""

    def __init__(self, path: str, masters: Masters) -> None:
        self.path = Path(path)
        self._masters = masters
        self._known: dict[str, tuple[bytes, AESGCM]] = {}

    def prepare(self) -> None:
        """Makes the folder where there is none. Raises `SettingError` where it cannot be used."""
        try:
            with suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
            self._check_mode()
        except OSError as error:
            raise unusable(self.path, error) from None

    def check(self) -> None:
        """Opens every key, so that one that cannot be is told at the start. Raises `SettingError`."""
        try:
            self._check_mode()
            for name in self.names():
                self.find(name)
        except OSError as error:
            raise unusable(self.path, error) from None

    def _check_mode(self) -> None:
        if self.path.stat().st_mode & 0o007:
            raise SettingError(_FOLDER_SETTING, f"{self.path} is open to everybody; chmod 700 it")

    def names(self) -> list[str]:
        """Of all keys there are."""
        stems = [entry.removesuffix(SUFFIX) for entry in os.listdir(self.path) if entry.endswith(SUFFIX)]
        return sorted(stem for stem in stems if _NAME.fullmatch(stem))

    def find(self, name: str) -> AESGCM | None:
        """The key with this name, or None where there is none."""
        known = self._known.get(name)
        if known is None:
            content = self._read(name)
            if content is None:
                return None
            known = self._known[name] = self._opened(name, content)
        return known[1]

    def bytes_of(self, name: str) -> tuple[bytes, bytes] | None:
        """The key itself, for what is derived from it, and what was kept with it."""
        if self.find(name) is None:
            return None
        content = self._known[name][0]
        return content[:KEY_BYTES], content[KEY_BYTES:]

    def make(self, name: str, more: bytes = b"") -> AESGCM:
        """The key with this name, made if need be: by this process or by one that was faster. `more` is kept
        with it."""
        found = self.find(name)
        if found is not None:
            return found
        with self._locked():
            self._make(name, more)
        made = self.find(name)
        if made is None:
            raise FileNotFoundError(f"the data key {name} is gone again")
        return made

    def make_one_of(self, kind: str) -> str:
        """The name of a key of this kind, made if there is none. What follows the kind in it is of chance: a
        key that is missing is not replaced by another of the same name."""
        with self._locked():
            there = [name for name in self.names() if name.startswith(kind)]
            if there:
                return there[0]
            name = f"{kind}-{secrets.token_hex(CHANCE)}"
            self._make(name, b"")
        return name

    def _make(self, name: str, more: bytes) -> None:
        with self._draft(name, secrets.token_bytes(KEY_BYTES) + more) as draft:
            with suppress(FileExistsError):
                os.link(draft, self._file(name))
            self._sync()

    def destroy(self, name: str) -> None:
        """From now on nobody opens what was sealed under it. Again is no error."""
        self._known.pop(name, None)
        with self._locked(), suppress(FileNotFoundError):
            draft = self.path / f"{DRAFT}{secrets.token_hex(8)}"
            os.rename(self._file(name), draft)
            with draft.open("r+b") as file:  # on a disk that writes in place, nothing of it is left
                file.write(bytes(draft.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            draft.unlink()
            self._sync()

    def look(self) -> None:
        """Lets go of keys that another process has destroyed."""
        for name in self._known.keys() - set(self.names()):
            del self._known[name]

    def renew(self, told: Callable[[int, int], None] = lambda done, count: None) -> int:
        """Seals every key under the first master key that is not; how many these were. `told` how far it is.

        Killed in the middle, some are under the one and some under the other, which both are listed; and so
        it can be begun again.
        """
        names, renewed = self.names(), 0
        for done, name in enumerate(names, start=1):
            with self._locked():
                content = self._read(name)
                if content is not None and not self._masters.current(content):
                    opened, _ = self._opened(name, content)
                    with self._draft(name, opened) as draft:
                        os.replace(draft, self._file(name))
                        self._sync()
                    renewed += 1
            told(done, len(names))
        return renewed

    def clear(self, before: float) -> None:
        """Removes what a process that was killed while it made a key has left, from before that moment
        (seconds)."""
        for entry in os.scandir(self.path):
            if entry.name.startswith(DRAFT):
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < before:
                        os.unlink(entry.path)

    def _opened(self, name: str, content: bytes) -> tuple[bytes, AESGCM]:
        try:
            content = self._masters.unseal(FOLDER, _place(name), content)
        except UnknownMaster as error:
            raise SettingError(
                _KEYS_SETTING, f"the data key {name} is under the master key {error.id}, which is not listed"
            ) from None
        except NotSealedHere:
            raise SettingError(
                _FOLDER_SETTING, f"{self._file(name)} is damaged, or is not this folder's"
            ) from None
        return content, AESGCM(content[:KEY_BYTES])

    def _read(self, name: str) -> bytes | None:
        try:
            with self._file(name).open("rb") as file:
                return file.read(LARGEST)
        except FileNotFoundError:
            return None

    @contextmanager
    def _draft(self, name: str, content: bytes) -> Iterator[Path]:
        """A file of another name, on disk, which is gone with the block. An `OSError` names the key's."""
        path = self.path / f"{DRAFT}{secrets.token_hex(8)}"
        sealed = self._masters.seal(FOLDER, _place(name), content)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            yield path
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._file(name))) from error
        finally:
            path.unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.path / (name + SUFFIX)

    def _sync(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def unusable(path: object, error: OSError) -> SettingError:
    return SettingError(_FOLDER_SETTING, f"{path} cannot be used: {error.strerror or 'not a folder'}")


def _place(name: str) -> bytes:
    return b"data key " + name.encode()
