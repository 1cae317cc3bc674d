"""What keeps vacuum from working is seen, whoever it is."""

import asyncpg
import pytest

from restante.ports import StoreHealth
from restante.stores.postgres.health import (
    DEAD_LIMIT,
    DEAD_READY_LIMIT,
    OLDEST_SNAPSHOT_LIMIT,
    OLDEST_TRANSACTION_LIMIT_SECONDS,
    health_of,
)

from ..samples import NOW, accepted, completed
from .conftest import Opener


def value(health: StoreHealth, name: str) -> int:
    (found,) = [measure.value for measure in health.measures if measure.name == name]
    return found


async def test_dead_rows_are_counted_by_table(opening: Opener, database: str) -> None:
    store = await opening()
    for _ in range(5):
        await completed(store)
    connection = await asyncpg.connect(database)
    await connection.execute("DELETE FROM restante.events")
    await connection.execute("SELECT pg_stat_force_next_flush()")  # else a second later
    await connection.close()
    health = await store.health(NOW)
    assert value(health, "events_dead_rows") == 15
    assert value(health, "idempotency_dead_rows") == 0


async def test_an_old_transaction_elsewhere_is_seen(opening: Opener, database: str) -> None:
    store = await opening()
    other = await asyncpg.connect(database)
    await other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await other.fetch("SELECT 1 FROM restante.meta")
    before = value(await store.health(NOW), "oldest_snapshot_transactions")
    for _ in range(5):
        await accepted(store)
    health = await store.health(NOW)
    assert value(health, "oldest_snapshot_transactions") >= before + 5
    seconds = await other.fetchval("SELECT extract(epoch FROM clock_timestamp() - now())")
    assert value(health, "oldest_transaction_seconds") <= seconds + 1
    await other.close()


class Answering:
    """A database that has these statistics."""

    def __init__(self, rows: list[tuple[str, int, int]]) -> None:
        self._rows = rows

    async def rows(self, name: str, *, again: bool) -> list[tuple[str, int, int]]:
        return self._rows


@pytest.mark.parametrize(
    ("name", "limit", "live"),
    [
        ("oldest_transaction_seconds", OLDEST_TRANSACTION_LIMIT_SECONDS, 0),
        ("oldest_snapshot_transactions", OLDEST_SNAPSHOT_LIMIT, 0),
        ("ready_dead_rows", DEAD_READY_LIMIT, 10_000_000),
        ("events_dead_rows", DEAD_LIMIT, 0),
        ("events_dead_rows", 5_000_000, 10_000_000),
    ],
)
async def test_each_measure_has_its_limit(name: str, limit: int, live: int) -> None:
    at, past = (await health_of(Answering([(name, limit, live), (name, limit + 1, live)]))).measures  # type: ignore[arg-type]
    assert (at.alarming, past.alarming) == (False, True)
