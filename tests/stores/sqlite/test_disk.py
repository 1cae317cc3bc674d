"""Where the disk fails, what raised did not happen; where it works again, so does the store."""

import asyncio
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from restante.core.errors import StoreUnavailable
from restante.core.model import Transaction
from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore

from ... import forked
from ...matrix import rows
from ..samples import NOW, a_submission, accepted, applied, begin, claimed, complete, now_is
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
        store.reserve_reading(kept.key),
        store.write_chunk(kept.key, 1, 0, b"x"),
        store.ping(),
        return_exceptions=True,
    )
    assert all(isinstance(answer, StoreUnavailable) and answer.retry_after_seconds for answer in answers)
    assert await store.look([submission.transaction.id for submission in lost]) == [None] * 5
    assert await now_is(store, kept) == kept
    assert store.queued == 1

    disk.mend()
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
    done = forked.run(
        [sys.executable, "-m", "tests.stores.sqlite.growing", str(path)], text=True, cwd=ROOT, timeout=30
    )
    assert not done.returncode, done.stderr
    assert done.stdout.split() == ["refused", "recovered", "whole"]


@pytest.mark.parametrize("kind", ["write", "sync"])
@pytest.mark.parametrize("calls", rows(range(0, 20, 2), quick=lambda calls: calls in (0, 2, 8)))
@pytest.mark.parametrize("times", [1, 5])
async def test_wherever_the_disk_fails_answers_are_true(
    store: SQLiteStore, disk: Disk, path: Path, tmp_path: Path, kind: str, calls: int, times: int
) -> None:
    there: list[Transaction] = [await accepted(store)]
    gone: list[str] = []
    disk.break_after(kind, calls, times)

    async def accept() -> None:
        submission = await a_submission(store, body=bytes(30_000))
        try:
            await store.accept([submission])
            there.append(submission.transaction)
        except StoreUnavailable:
            gone.append(submission.transaction.id)

    async def change(place: int) -> None:
        if place < len(there) and there[place].sequence == 1:
            change = begin(there[place])
            try:
                await store.apply([change])
                there[place] = change.after
            except StoreUnavailable:
                pass

    for turn in range(12):
        await asyncio.gather(accept(), accept(), change(turn // 2))
    assert disk.broken or (kind == "sync" and calls >= 12)
    disk.mend()
    crashed = tmp_path / "crashed.db"
    shutil.copy(path, crashed)
    shutil.copy(f"{path}-wal", f"{crashed}-wal")
    after = await SQLiteStore.open(str(crashed), limits=Limits())
    for each, due in ((store, False), (after, True)):
        expected = [
            msgspec.structs.replace(one, due_at=0) if due and one.sequence > 1 else one for one in there
        ]
        assert await each.look([one.id for one in there]) == expected
        assert await each.look(gone) == [None] * len(gone)
        assert each.queued == len(there)
    await after.close()


async def test_with_little_room_left_new_work_is_refused_and_old_work_ends(path: Path) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    old = await accepted(store)
    await store.close()
    store = await SQLiteStore.open(str(path), limits=Limits(reserve=1 << 62))
    with pytest.raises(StoreUnavailable, match="reserve"):
        await store.accept([await a_submission(store)])
    with pytest.raises(StoreUnavailable, match="reserve"):
        await store.write_chunk(100, 0, 0, b"x")
    with pytest.raises(StoreUnavailable, match="reserve"):
        await store.ping()  # so that nobody sends it more
    begun = await applied(store, begin(old))
    await store.write_chunk(old.key, 1, 0, b"x")
    await applied(store, complete(begun))
    await store.close()


async def test_a_file_that_was_removed_is_noticed(store: SQLiteStore, path: Path) -> None:
    await accepted(store)
    path.unlink()
    with pytest.raises(StoreUnavailable, match="removed"):
        await store.accept([await a_submission(store)])
    with pytest.raises(StoreUnavailable, match="removed"):
        await store.ping()


async def test_a_body_that_could_not_be_dropped_is_dropped_with_the_next_sweep(
    store: SQLiteStore, disk: Disk
) -> None:
    for position in range(3):
        await store.write_chunk(7, 0, position, b"x" * 1000)
    disk.full = True
    with pytest.raises(StoreUnavailable):
        await store.drop_chunks(7, 0)
    disk.mend()
    await store.lapsed(NOW, 1)
    while await store.read_chunk(7, 0, 0) is not None:
        pass
