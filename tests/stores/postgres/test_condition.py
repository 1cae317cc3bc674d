"""Whoever operates the database is told what is the matter, and nobody waits longer than a caller does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from restante.core.errors import SettingError, StoreUnavailable, WriteUnknown
from restante.core.policy import Limits
from restante.stores.postgres import PostgresStore, condition, database, lane, pool
from restante.stores.postgres.condition import Condition
from restante.stores.postgres.lane import Job, Lane

from ...postgres import Server
from ..samples import a_submission, accepted, now_is


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One of this file's own, since its settings are changed."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
async def store(server: Server) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(await server.database(), limits=Limits())
    yield store
    await store.close()


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_trouble_is_told_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    now = Condition()
    now.written()
    for _ in range(3):
        now.failed(asyncpg.DiskFullError("a path that nobody is to see"))
    assert now.full
    now.failed(asyncpg.UniqueViolationError("about one row"))
    now.failed(TimeoutError())
    now.written()
    now.written()
    assert not now.full
    assert errors(caplog) == [
        "the database does not take what is to be written: its disk is full",
        "the database does not take what is to be written: it does not answer in time",
        "the database takes what is to be written again",
    ]


async def test_with_a_full_disk_nothing_is_ready_until_it_was_tried_again(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = store._database.condition
    now.failed(asyncpg.DiskFullError())
    with pytest.raises(StoreUnavailable, match="disk is full"):
        await store.ping()
    assert "disks_full" in [one.name for one in (await store.health(0)).measures if one.alarming]
    monkeypatch.setattr(condition, "FULL_SECONDS", 0.0)
    await store.ping()
    now.failed(asyncpg.DiskFullError())
    monkeypatch.undo()
    await accepted(store)
    await store.ping()


async def test_a_commit_that_no_standby_confirms_is_given_up_and_told_of(
    server: Server, store: PostgresStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await accepted(store)
    for place in (pool, database):
        monkeypatch.setattr(place, "COMMAND_SECONDS", 0.5)
    monkeypatch.setattr(database, "PERSISTENCE_SECONDS", 1.0)
    await server.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await server.run("SELECT pg_reload_conf()")
    submission = await a_submission(store)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(WriteUnknown):
                while True:  # until the setting has arrived everywhere
                    await store.accept([submission])
                    submission = await a_submission(store)
    finally:
        await server.run("ALTER SYSTEM RESET synchronous_standby_names")
        await server.run("SELECT pg_reload_conf()")
    monkeypatch.undo()
    other = await accepted(store)
    assert await now_is(store, other) == other
    told = errors(caplog)
    assert told[0].startswith("the database does not take what is to be written: ")
    assert told[-1] == "the database takes what is to be written again"
    assert submission.transaction.id not in "".join(told)


async def test_what_waits_behind_a_slow_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "SLOW_SECONDS", -1.0)  # every group is slow, and everybody has waited long
    begun, go_on = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def run(jobs: list[Job]) -> None:
        begun.set()
        await go_on.wait()
        done.extend(job.what for job in jobs)

    slow = Lane(run, max_waiting=10, away=lambda: False)
    first = asyncio.ensure_future(slow.do("x", "first"))
    await begun.wait()
    second = asyncio.ensure_future(slow.do("x", "second"))
    await asyncio.sleep(0)
    go_on.set()
    await first
    with pytest.raises(StoreUnavailable):
        await second
    await slow.do("x", "third")
    assert done == ["first", "third"]


@pytest.mark.parametrize("weak", ["off", "local"])
async def test_commits_that_are_not_waited_for_are_no_commits(server: Server, weak: str) -> None:
    url = await server.database()
    name = url.partition("?")[0].rpartition("/")[2]
    await server.run(f"ALTER DATABASE {name} SET synchronous_commit = {weak}")
    with pytest.raises(SettingError, match=f"synchronous_commit is {weak}"):
        await PostgresStore.open(url, limits=Limits())
