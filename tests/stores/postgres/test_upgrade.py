"""From tables to partitions, while servers of the version before are at work."""

import asyncio
from typing import Any

import asyncpg
import pytest

from restante.core.clock import DAY
from restante.core.identity import mint
from restante.core.policy import Limits
from restante.core.status import Status
from restante.stores.postgres import PostgresStore
from restante.stores.postgres.migrate import migrate, migrations, step
from restante.stores.postgres.url import read_url

from ...postgres import Server
from ..samples import NOW, accepted, applied, begin, claimed, complete, now_is
from .conftest import asked

BEFORE = 3
"""The last version without partitions."""

SECRET = bytes(range(16))

WRITE = """
WITH written AS (
    INSERT INTO restante.transactions (
        key, id, tenant, created_at, updated_at, status, phase, sequence, attempt, doubtful, dialect, method,
        path, query, operation, upstream, priority, due_at, deadline, expires_at, sweep_at, reading
    ) VALUES (
        $1, $2, 'default', $3::bigint, $3, $4, 0, 1, 0, 0, 0, 'POST', '/payments', '', 'create', 'default', 0,
        $3, $3 + 86400000000, $3 + 86400000000, $3 + 86400000000, 0
    )
), logged AS (
    INSERT INTO restante.events VALUES ($1, 1, 0, 'accepted', '{}', 0, $3)
), asked AS (
    INSERT INTO restante.requests VALUES ($1, '\\x90', 2, '{}', NULL)
), answered AS (
    INSERT INTO restante.results SELECT $1, 200, '\\x90', 2, '{}', 0 WHERE $4 = 2
), ended AS (
    INSERT INTO restante.endings SELECT 'default', $4, $3, $1 WHERE $4 = 2 ON CONFLICT DO NOTHING
)
INSERT INTO restante.ready (key, upstream, tenant, priority, due_at, created_at, hold)
SELECT $1, 'default', 'default', 0, $3, $3, NULL WHERE $4 < 2
"""
"""As the version before accepts (0), or has accepted and ended (2)."""


async def at_version(postgres: Server, version: int) -> str:
    url = await postgres.database(migrated=False)
    name = url.partition("?")[0].rpartition("/")[2]
    for number, script in enumerate(migrations()[:version], start=1):
        await postgres.run(step(number, script, SECRET), database=name)
    return url


class Former:
    """A process of the version before: one prepared statement, over and over."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self._connection: Any = None
        self._statement: Any = None

    async def open(self, url: str) -> None:
        self._connection = await asyncpg.connect(url)
        self._statement = await self._connection.prepare(WRITE)

    async def write(self, status: int) -> str:
        key = await self._connection.fetchval("SELECT nextval('restante.keys')")
        id = mint(key, key.to_bytes(10, "big"), SECRET)
        await self._statement.fetch(key, id, NOW, status)
        self.ids[id] = key
        return id

    async def close(self) -> None:
        await self._connection.close()


@pytest.fixture
async def url(postgres: Server) -> str:
    return await at_version(postgres, BEFORE)


async def test_servers_of_the_version_before_work_all_the_while(url: str) -> None:
    former = Former()
    await former.open(url)
    going = True

    async def work() -> None:
        while going:
            await former.write(len(former.ids) % 2 * 2)

    working = asyncio.create_task(work())
    await asyncio.wait_for(migrate(read_url(url)), 30)
    store = await PostgresStore.open(url, limits=Limits())
    before = len(former.ids)
    done = await applied(store, complete(await applied(store, begin(await accepted(store)))))
    while len(former.ids) < before + 10:
        await asyncio.sleep(0)
    going = False
    await working
    await former.close()
    found = await store.look(list(former.ids))
    assert None not in found
    assert [log and log[0].message for log in await store.events(list(former.ids.values()))] == [
        "accepted"
    ] * len(found)
    assert None not in await store.requests(list(former.ids.values()))
    assert await now_is(store, done) == done
    await store.close()


async def test_what_was_there_goes_on_waiting_and_goes_row_by_row(url: str) -> None:
    former = Former()
    await former.open(url)
    pending, ended = await former.write(0), await former.write(2)
    await migrate(read_url(url))
    late, late_ended = await former.write(0), await former.write(2)  # its plan is of before
    await former.close()
    store = await PostgresStore.open(url, limits=Limits())
    new = await accepted(store)
    assert await claimed(store) == [former.ids[pending], former.ids[late], new.key]
    lapsed = await store.lapsed(NOW + DAY, 10)
    assert {one.id for one in lapsed} == {pending, ended, late, late_ended, new.id}
    assert await store.next_lapse(NOW + DAY) == NOW + DAY
    over = [one for one in lapsed if one.status is Status.COMPLETED]
    await store.purge([], over)
    assert await store.look([ended, late_ended]) == [None, None]
    await store.tidy(NOW + 99 * DAY)
    assert None not in await store.look([pending, late, new.id])
    assert await asked(url, "SELECT 1 FROM restante.transactions_plain WHERE status = 2") == []
    await store.close()


async def test_the_tables_change_places_without_being_read(url: str) -> None:
    """The last step has no time for that: everybody waits for it."""
    former = Former()
    await former.open(url)
    for _ in range(20):
        await former.write(2)
    await former.close()
    for number in (4, 5):
        await asked_script(url, step(number, migrations()[number - 1], SECRET))
    connection = await asyncpg.connect(url)
    told: list[str] = []
    connection.add_log_listener(lambda _, message: told.append(message.message))
    await connection.execute("SET client_min_messages = debug1")
    await connection.execute(step(6, migrations()[5], SECRET))
    await connection.close()
    for table in ("transactions", "events", "endings", "requests", "results", "chunks"):
        assert any(f'"{table}_plain"' in one and "implied" in one for one in told), table


async def asked_script(url: str, script: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(script)
    await connection.close()


async def test_a_plain_key_never_reaches_that_of_an_hour(url: str) -> None:
    await migrate(read_url(url))
    with pytest.raises(asyncpg.CheckViolationError):
        await asked(url, "INSERT INTO restante.endings VALUES ('t', 2, 0, 70370891661312)")
