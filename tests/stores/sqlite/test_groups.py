"""Many writers share a commit, and every one of them waits for its sync."""

import asyncio

from restante.core.model import Body
from restante.stores.sqlite import SQLiteStore
from restante.stores.sqlite.worker import BULK_GROUP

from ..samples import a_submission, accepted, applied, begin, complete, now_is
from .conftest import Disk


async def test_what_arrives_together_is_committed_together(store: SQLiteStore) -> None:
    submissions = [await a_submission(store) for _ in range(500)]
    before = store.commits
    await asyncio.gather(*[store.accept([submission]) for submission in submissions])
    assert 1 <= store.commits - before <= 10
    assert None not in await store.look([submission.transaction.id for submission in submissions])


async def test_an_accept_returns_after_its_sync(store: SQLiteStore, disk: Disk) -> None:
    for _ in range(5):
        disk.log.clear()
        begun = begin(await accepted(store))
        assert disk.log.count(("sync", "wal")) == 1
        assert disk.log[-1] == ("sync", "wal")
        await applied(store, begun)
        assert disk.log.count(("sync", "wal")) == 2
        assert disk.log[-1] == ("sync", "wal")


async def test_a_whole_life_is_three_commits(store: SQLiteStore) -> None:
    before = store.commits
    begun = await applied(store, begin(await accepted(store)))
    await applied(store, complete(begun))
    assert store.commits - before == 3


async def test_a_mark_and_its_end_that_came_together_are_one_commit(store: SQLiteStore) -> None:
    begun = begin(await accepted(store))
    before = store.commits
    ends = await asyncio.gather(store.apply([begun]), store.apply([complete(begun.after)]))
    assert ends[0] == ends[1] == [True]
    assert store.commits - before == 1


async def test_reading_writes_nothing(store: SQLiteStore, disk: Disk) -> None:
    transaction = await accepted(store)
    disk.log.clear()
    await now_is(store, transaction)
    await store.events([transaction.key])
    await store.claim("default", 10, transaction.created_at)
    await store.next_due("default", 0)
    await store.lapsed(0, 10)
    assert disk.log == []


async def test_a_large_body_takes_a_small_share_of_each_commit(store: SQLiteStore) -> None:
    submission = await a_submission(store, body=Body(64 * 128 * 1024, None))
    before = store.commits
    await asyncio.gather(
        *[store.write_chunk(submission.transaction.key, 0, place, bytes(128 * 1024)) for place in range(64)]
    )
    assert store.commits - before >= 64 * 128 * 1024 // BULK_GROUP / 2
    await store.accept([submission])
