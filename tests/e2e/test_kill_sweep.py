"""kill -9 while what is kept no longer is removed: it is gone all the same, and nothing else is."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from restante.core.clock import HOUR
from restante.stores.postgres.places import HOURS, Partition

from .harness import PAUSE_SECONDS, RecordingUpstream
from .story import PATIENCE_SECONDS, Story, kills
from .test_kill import until_pieces

LARGE = bytes(20 * 128 * 1024)
"""More pieces than are dropped in one commit."""

EXPIRED, FORGOTTEN = 30, 24 * 34
"""Hours: past `retention`, and past `history`."""


@pytest.fixture
async def story(tmp_path: Path, store: str) -> AsyncIterator[Story]:
    async with RecordingUpstream() as upstream, Story(tmp_path, store, upstream.url) as story:
        yield story


async def two(story: Story) -> list[str]:
    """Done by one process: one with a small request, one with a large one."""
    async with story.running():
        ids = [await story.accepted("/work", said, idempotency_key="k-1") for said in (b"{}",)]
        ids.append(await story.accepted("/work", LARGE))
        for id in ids:
            await story.ended(id)
    return ids


async def expired(story: Story, ids: list[str]) -> None:
    """Results are gone, the history is there; and a key may be used again."""
    assert {one["id"] for one in await story.all()} == set(ids)
    for id in ids:
        assert (await story.result(id)).status_code == 404
        assert (await story.done("GET", f"/-/transactions/{id}"))["status"] == "completed"
    again = await story.accepted("/work", b"{}", idempotency_key="k-1")
    assert again not in ids
    assert (await story.ended(again))["status"] == "completed"


async def forgotten(story: Story) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await story.all():
            await asyncio.sleep(PAUSE_SECONDS)


@kills(["sweep.found", "sweep.written", "sweep.removed", "sweep.piece_dropped"], stores=["sqlite"])
async def test_results_that_are_past_their_retention_go_and_their_history_stays(
    story: Story, store: str, point: str
) -> None:
    ids = await two(story)
    await story.dies(point, hours=EXPIRED)
    async with story.running(hours=EXPIRED):
        await until_pieces(store, 0)
        await expired(story, ids)


@kills(["sweep.found", "sweep.written", "sweep.removed", "sweep.piece_dropped"], stores=["sqlite"])
async def test_what_is_past_its_history_is_forgotten(story: Story, store: str, point: str) -> None:
    await two(story)
    await story.dies(point, hours=FORGOTTEN)
    async with story.running(hours=FORGOTTEN):
        await until_pieces(store, 0)
        await forgotten(story)


async def until_gone(store: str, *, hours: int) -> None:
    """The partitions of what expired by then."""
    over = time.time_ns() // 1000 + (hours - 1) * HOUR
    connection = await asyncpg.connect(store)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                names = [name for (name,) in await connection.fetch("SELECT relname FROM pg_class")]
                found = [one for name in names if (one := Partition.named(name))]
                if all(one.ends_at > over for one in found if HOURS[one.table] == 1):
                    return
                await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await connection.close()


@pytest.mark.parametrize("hours", [EXPIRED, FORGOTTEN])
@kills(["sweep.detached@1", "sweep.detached@2", "sweep.dropped"], stores=["postgres"])
async def test_partitions_whose_time_is_over_go(story: Story, store: str, point: str, hours: int) -> None:
    ids = await two(story)
    await story.dies(point, hours=hours)
    async with story.running(hours=hours):
        await until_gone(store, hours=hours)
        if hours == EXPIRED:
            await expired(story, ids)
        else:
            await forgotten(story)
