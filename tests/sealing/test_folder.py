"""Data keys on disk: there before they are used, one for all, under the first master key once rotated."""

import contextlib
import errno
import os
import threading
from pathlib import Path

import pytest

from restante.core.errors import SettingError
from restante.sealing import KeyFolder, Masters
from restante.sealing.folder import DRAFT

from .keys import NEW, OLD

DAY = "r2026-11-22"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def opened(path: Path, *masters: bytes) -> KeyFolder:
    folder = KeyFolder(str(path), Masters(masters or (OLD,)))
    folder.prepare()
    return folder


def used(folder: KeyFolder, name: str) -> bytes:
    key = folder.find(name)
    assert key is not None
    return key.encrypt(bytes(12), b"something", b"")


def test_a_key_is_the_same_for_whoever_opens_the_folder_next(path: Path) -> None:
    folder = opened(path)
    name = folder.make_one_of(DAY)
    again = opened(path)
    assert again.names() == [name]
    assert used(again, name) == used(folder, name)
    assert again.make_one_of(DAY) == name


def test_nobody_else_can_read_the_folder_or_a_key(path: Path) -> None:
    folder = opened(path)
    name = folder.make_one_of(DAY)
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / f"{name}.key").stat().st_mode & 0o777 == 0o600
    assert OLD not in (path / f"{name}.key").read_bytes()


def test_a_folder_that_is_open_to_everybody_is_refused(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)
    with pytest.raises(SettingError, match=r"sealing.folder: .* is open to everybody; chmod 700 it"):
        opened(path)
    path.chmod(0o700)
    opened(path)
    path.chmod(0o777)
    with pytest.raises(SettingError, match="open to everybody"):  # nor later
        KeyFolder(str(path), Masters((OLD,))).check()


def test_on_a_full_disk_nothing_is_left_and_the_error_names_the_key(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = opened(path)
    name = folder.make_one_of(DAY)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("restante.sealing.folder.os.fsync", full)
    with pytest.raises(OSError, match=f"{name}.key"):
        KeyFolder(str(path), Masters((NEW, OLD))).renew()
    assert not [one for one in path.iterdir() if one.name.startswith(".draft-")]
    monkeypatch.undo()
    assert used(KeyFolder(str(path), Masters((OLD,))), name) == used(folder, name)


@pytest.mark.parametrize("what", ["identity", DAY])
def test_of_many_that_make_a_key_at_once_all_have_the_same(path: Path, what: str) -> None:
    opened(path)
    barrier, made = threading.Barrier(8), []

    def make() -> None:
        folder = KeyFolder(str(path), Masters((OLD,)))
        barrier.wait()
        name = what
        if what == DAY:
            name = folder.make_one_of(DAY)
        else:
            folder.make(name)
        made.append(used(folder, name))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert len(opened(path).names()) == 1


@pytest.mark.parametrize("call", ["link", "unlink", "fsync", "replace"])
def test_killed_anywhere_while_it_makes_or_rotates_a_key_it_leaves_nothing_in_the_way(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    folder = opened(path)
    kept = folder.make_one_of("r2026-11-21")
    content = used(folder, kept)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, call, killed)
        for work in (lambda: folder.make_one_of(DAY), opened(path, NEW, OLD).renew):
            with contextlib.suppress(KeyboardInterrupt):
                work()
    after = opened(path, NEW, OLD)
    assert used(after, kept) == content
    made = after.make_one_of(DAY)
    after.renew()
    last = opened(path, NEW)
    last.check()
    assert used(last, kept) == content
    assert used(last, made) == used(after, made)
    last.clear(float("inf"))
    assert not [entry for entry in os.listdir(path) if entry.startswith(DRAFT)]


def test_rotated_keys_are_the_same_under_another_master_key(path: Path) -> None:
    folder = opened(path)
    names = [folder.make_one_of(f"r2026-11-2{day}") for day in range(5)]
    before = [used(folder, name) for name in names]
    told: list[tuple[int, int]] = []
    both = opened(path, NEW, OLD)
    assert both.renew(lambda done, count: told.append((done, count))) == 5
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert both.renew() == 0
    new = opened(path, NEW)
    assert [used(new, name) for name in names] == before
    with pytest.raises(SettingError, match=r"is under the master key \w{8}, which is not listed"):
        opened(path, OLD).check()


def test_what_was_destroyed_is_not_brought_back_by_a_rotation(path: Path) -> None:
    folder = opened(path)
    names = [folder.make_one_of(f"r2026-11-2{day}") for day in range(3)]
    other = opened(path)
    both = opened(path, NEW, OLD)
    both.renew(lambda done, count: other.destroy(names[2]) if done == 1 else None)
    assert opened(path, NEW).names() == names[:2]
    other.destroy(names[2])


def test_a_key_that_was_changed_or_renamed_is_refused(path: Path) -> None:
    folder = opened(path)
    first, second = [folder.make_one_of(f"r2026-11-2{day}") for day in range(2)]
    os.replace(path / f"{first}.key", path / f"{second}.key")
    with pytest.raises(SettingError, match=r"sealing.folder: .* is damaged, or is not this folder's"):
        opened(path).check()
    (path / f"{second}.key").write_bytes(b"")
    with pytest.raises(SettingError, match="is damaged"):
        opened(path).check()
