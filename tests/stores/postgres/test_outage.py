"""The server goes away under load: refused while it is away, and nothing that was accepted is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from restante.core.errors import StoreUnavailable, WriteUnknown
from restante.core.model import Accepted, Submission
from restante.core.policy import Limits
from restante.stores.postgres import PostgresStore, database

from ...postgres import Server
from ..samples import a_submission, accepted, applied, begin, complete, now_is

PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One of this file's own, that writes to the disk as the product's does."""
    server = Server(fsync=True, full_page_writes="on")
    yield server
    server.close()


@pytest.fixture
async def url(server: Server) -> str:
    return await server.database()


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(url, limits=Limits())
    yield store
    await store.close()


class Load:
    """Submits, begins and completes until it is told to stop; what it was told is written down."""

    def __init__(self, store: PostgresStore) -> None:
        self.accepted: list[Submission] = []
        self.completed: list[Submission] = []
        self.refused: list[Submission] = []
        self.unknown: list[Submission] = []
        self.waits: set[int | None] = set()
        self._store = store
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    async def run(self) -> None:
        while not self._stopped:
            try:
                submission = await a_submission(self._store, claim=True)
            except StoreUnavailable:
                await asyncio.sleep(0.01)
                continue
            try:
                (answer,) = await self._store.accept([submission])
            except StoreUnavailable as error:
                self.waits.add(error.retry_after_seconds)
                (self.unknown if isinstance(error, WriteUnknown) else self.refused).append(submission)
                await asyncio.sleep(0.01)
                continue
            assert answer == Accepted(submission.transaction)
            self.accepted.append(submission)
            begun = begin(submission.transaction)
            await self._until_applied(begun)
            await self._until_applied(complete(begun.after))
            self.completed.append(submission)

    async def _until_applied(self, change: object) -> None:
        while True:
            try:
                (applied,) = await self._store.apply([change])  # type: ignore[list-item]
            except WriteUnknown:
                found = await self._look(change)
                if found:
                    return
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            else:
                assert applied
                return

    async def _look(self, change: object) -> bool:
        while True:
            try:
                return await now_is(self._store, change.after) == change.after  # type: ignore[attr-defined]
            except StoreUnavailable:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGINT, id="restart", marks=pytest.mark.slow),
        pytest.param(signal.SIGQUIT, id="crash"),
    ],
)
async def test_a_server_that_goes_away_under_load_takes_nothing_with_it(
    server: Server, store: PostgresStore, how: signal.Signals
) -> None:
    load = Load(store)
    running = [asyncio.create_task(load.run()) for _ in range(16)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(load.completed) < 200:
            await asyncio.sleep(0.01)
        late = await a_submission(store)
        await asyncio.to_thread(server.stop, how=how)
        while not store._pool.away:
            await asyncio.sleep(0.01)
        for refused in (store.accept([late]), store.ping(), store.look([late.transaction.id])):
            with pytest.raises(StoreUnavailable):  # and at once, not after a timeout
                await asyncio.wait_for(refused, 1)
        load.refused.append(late)
        server.start()
        before = len(load.completed)
        while len(load.completed) < before + 200:
            await asyncio.sleep(0.01)
        load.stop()
        await asyncio.gather(*running)
    assert None not in load.waits
    found = await store.look([one.transaction.id for one in load.completed])
    assert {one.status if one else None for one in found} == {"completed"}
    assert {len(log) for log in await store.events([one.key for one in found if one])} == {3}
    there = await store.look([one.transaction.id for one in load.refused])
    assert set(there) <= {None}  # what was refused is not there
    await store.ping()
    await store._nodes.count()
    kept = await store.look([one.transaction.id for one in load.unknown])
    assert store.queued == sum(one is not None for one in kept)


async def test_what_can_be_read_is_read_as_soon_as_the_server_is_back(
    server: Server, store: PostgresStore
) -> None:
    pending = await accepted(store)
    await asyncio.to_thread(server.stop)
    with pytest.raises(StoreUnavailable) as refused:
        await now_is(store, pending)
    assert refused.value.retry_after_seconds
    assert "postgres" not in str(refused.value).lower()
    assert str(server.folder) not in str(refused.value)
    server.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                assert await now_is(store, pending) == pending
                break
            except StoreUnavailable:
                await asyncio.sleep(0.01)
    await applied(store, begin(pending))


async def test_a_server_that_takes_no_writes_any_more_is_left_for_another(
    server: Server, store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failover, where the connections lead to what is a standby now."""
    monkeypatch.setattr(database, "PERSISTENCE_SECONDS", 1.0)  # what was lost is asked after in vain
    pending = await accepted(store)
    name = url.partition("?")[0].rpartition("/")[2]
    await server.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await server.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    with pytest.raises(StoreUnavailable):
        await store.apply([begin(pending)])
    await server.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                assert await store.apply([begin(pending)]) == [True]
                break
            except StoreUnavailable:
                await asyncio.sleep(0.01)


async def test_a_store_is_closed_while_the_server_is_away(server: Server, url: str) -> None:
    store = await PostgresStore.open(url, limits=Limits())
    await accepted(store, claim=True)
    await asyncio.to_thread(server.stop)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await store.close()
    server.start()
