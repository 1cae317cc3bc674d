"""Where the disk fails, what raised did not happen; where it works again, so does the store."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from restante.core.errors import StoreUnavailable
from restante.core.policy import Limits
from restante.core.status import Reading
from restante.stores.sqlite import SQLiteStore

from ..samples import NOW, a_submission, accepted, begin, claimed, now_is
from .conftest import Disk

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("trouble", [{"full": True}, {"syncing": False}])
async def test_a_write_that_raises_did_not_happen(
    store: SQLiteStore, disk: Disk, trouble: dict[str, bool]
) -> None:
    kept = await accepted(store)
    lost = [await a_submission(store, claim=True) for _ in range(5)]
    vars(disk).update(trouble)
    answers = await asyncio.gather(
        *[store.accept([submission]) for submission in lost],
        store.apply([begin(kept)]),
        store.mark_reading(kept.key, Reading.UNREAD, Reading.READ),
        store.write_chunk(kept.key, 1, 0, b"x"),
        store.ping(),
        return_exceptions=True,
    )
    assert all(isinstance(answer, StoreUnavailable) and answer.retry_after_seconds for answer in answers)
    assert await store.look([submission.transaction.id for submission in lost]) == [None] * 5
    assert await now_is(store, kept) == kept
    assert store.queued == 1

    disk.full, disk.syncing = False, True
    await store.ping()
    assert await store.look([submission.transaction.id for submission in lost]) == [None] * 5
    assert await now_is(store, kept) == kept
    assert await store.read_chunk(kept.key, 1, 0) is None
    await store.accept(lost)
    assert await claimed(store) == [kept.key]
    assert store.queued == 6


async def test_a_commit_whose_sync_failed_does_not_come_back_after_a_crash(
    store: SQLiteStore, disk: Disk, path: Path, tmp_path: Path
) -> None:
    kept = await accepted(store)
    lost = await a_submission(store)
    disk.syncing = False
    with pytest.raises(StoreUnavailable):
        await store.accept([lost])
    crashed = tmp_path / "crashed.db"
    shutil.copy(path, crashed)
    shutil.copy(f"{path}-wal", f"{crashed}-wal")
    after = await SQLiteStore.open(str(crashed), limits=Limits())
    assert await after.look([kept.id, lost.transaction.id]) == [kept, None]
    await after.close()


async def test_reads_go_on_while_the_disk_is_full(store: SQLiteStore, disk: Disk) -> None:
    kept = await accepted(store)
    disk.full = True
    with pytest.raises(StoreUnavailable):
        await store.ping()
    assert await now_is(store, kept) == kept
    assert await claimed(store, now=NOW) == [kept.key]


def test_a_file_that_must_not_grow_refuses_and_recovers(tmp_path: Path) -> None:
    """The real thing: the system's limit on a file's size, reached and then lifted."""
    path = tmp_path / "restante.db"
    done = subprocess.run(
        [sys.executable, "-m", "tests.stores.sqlite.growing", str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.split() == ["refused", "recovered", "whole"]
