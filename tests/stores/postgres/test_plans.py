"""What is asked often is a look-up in an index, whatever the size of the tables."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from restante.core.clock import DAY, HOUR
from restante.core.model import Query
from restante.core.status import Dialect, Status
from restante.stores.postgres.keys import key_for
from restante.stores.postgres.partitions import MADE_AT_ONCE, making
from restante.stores.postgres.places import HOURS, Partition
from restante.stores.postgres.pool import open_connection
from restante.stores.postgres.queries import QUERIES, query
from restante.stores.postgres.search import find
from restante.stores.postgres.url import read_url

from ...postgres import Server

SCANS_ALLOWED = {
    "secret": "one row",
    "keep_servers_out": "a lock",
    "usage": "whether there is any row at all, before a move",
    "replace_secret": "one row, at the end of a move",
    "restart_keys": "a definition, at the end of a move",
    "restart_deliveries": "a definition, at the end of a move",
    "restart_feed": "a definition, at the end of a move",
    "probe": "one row",
    "loads": "a count, when somebody asks",
    "survey": "as many rows as there are servers",
    "count_ready": "a count, in a hundredth of the time",
    "bury": "as many rows as there are servers",
    "void_holds": "over the index of what is held",
    "void_readings": "over the index of what is being read",
    "adopt_loose": "over a table that is all but empty",
    "keep_loose": "over a table that is all but empty",
    "partitions": "the names of tables, once a minute",
}

DAYS = 31
NOW = 1_700_000_000_000_000
FIRST = key_for(0, NOW)
ROW_KEY = f"CASE i % 32 WHEN 31 THEN i ELSE {FIRST} + (i % 32) * {key_for(0, NOW + DAY) - FIRST} + i END"
"""Row i is in one of so many days, of each of which there is one hour, or has a plain key."""

ROWS = """
INSERT INTO restante.transactions
SELECT KEY, gen_random_uuid(), 'tenant' || i % 5, i, i,
    CASE WHEN i % 9 = 0 THEN 0 WHEN i % 100 = 1 THEN 3 ELSE 2 END, NULL, 0, 1, 0, 0, 0, 'POST',
    CASE WHEN i % 1000 = 4 THEN '/refunds' ELSE '/payments' END, '',
    CASE WHEN i % 1000 = 5 THEN 'delete' ELSE 'create' END, 'default', i % 3, 'order-' || i, i, i, i, i,
    NULL, 0, NULL, NULL
FROM generate_series(1, 20000) i;
INSERT INTO restante.events
SELECT KEY, s, 0, '', '{}', 0, i FROM generate_series(1, 20000) i, generate_series(1, 2) s;
INSERT INTO restante.requests SELECT KEY, '', 0, '', NULL FROM generate_series(1, 20000) i;
INSERT INTO restante.results SELECT KEY, 200, '', 0, '', 1 FROM generate_series(1, 20000) i;
INSERT INTO restante.chunks SELECT KEY, 0, 0, '' FROM generate_series(1, 20000) i;
INSERT INTO restante.ready
SELECT key, upstream, tenant, priority, due_at, created_at, CASE WHEN key % 20 = 0 THEN 5 END,
    sweep_at
FROM restante.transactions WHERE status < 2;
INSERT INTO restante.endings
SELECT tenant, status, created_at, key FROM restante.transactions WHERE status >= 2;
INSERT INTO restante.idempotency
SELECT decode(md5(i::text), 'hex'), KEY, '', i, i FROM generate_series(1, 20000) i;
ANALYZE
""".replace("KEY", ROW_KEY)

TABLES = ("transactions", "events", "requests", "results", "chunks", "ready", "endings", "idempotency")


@pytest.fixture(scope="module")
def filled(postgres: Server) -> str:
    async def fill() -> str:
        url = await postgres.database()
        name = url.partition("?")[0].rpartition("/")[2]
        some = [Partition.of(table, NOW // HOUR + 24 * day) for table in HOURS for day in range(DAYS)]
        for place in range(0, len(some), MADE_AT_ONCE):
            await postgres.run(making(some[place : place + MADE_AT_ONCE]), database=name)
        await postgres.run(ROWS, database=name)
        return url

    return asyncio.run(fill())


@pytest.fixture
async def connection(filled: str) -> AsyncIterator[Any]:
    connection = await open_connection(read_url(filled))
    yield connection
    await connection.close()


@pytest.fixture
async def names(connection: Any) -> dict[str, str]:
    """Of each partition, and of each index of one, that of the whole."""
    rows = await connection.fetch(
        "SELECT part.relname, whole.relname FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid "
        "JOIN pg_class AS whole ON whole.oid = inhparent"
    )
    return {row[0]: row[1] for row in rows}


SAMPLES: dict[str, object] = {
    "boolean": False,
    "bigint[]": [5],
    "integer[]": [1],
    "smallint[]": [1],
    "text[]": ["a"],
    "bytea[]": [b"a"],
    "boolean[]": [True],
    "uuid[]": ["00000000-0000-0000-0000-000000000000"],
    "bytea": b"a",
    "bigint": 5,
    "smallint": 1,
    "uuid": "00000000-0000-0000-0000-000000000000",
    "integer": 5,
    "text": "default",
    "json": "[{}]",
}


class Watched:
    """A database that writes down the plan of everything that is searched for."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def search(self, text: str, *arguments: Any) -> list[Any]:
        self.plans.append(await plan(self._connection, text, list(arguments)))
        rows: list[Any] = await self._connection.fetch(text, *arguments)
        return rows

    async def rows(self, name: str, *arguments: Any, again: bool) -> list[Any]:
        return await self.search(query(name), *arguments)


async def plan(connection: Any, text: str, arguments: list[object] | None = None) -> str:
    prepared = await connection.prepare(text)
    if arguments is None:
        arguments = []
        for kind in prepared.get_parameters():
            scalar = {"int8": "bigint", "int4": "integer", "int2": "smallint", "bool": "boolean"}
            name = scalar.get(kind.name.removesuffix("[]"), kind.name.removesuffix("[]"))
            arguments.append(SAMPLES[name + ("[]" if kind.kind == "array" else "")])
    rows = await connection.fetch("EXPLAIN " + text, *arguments)
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in SCANS_ALLOWED])
async def test_no_query_reads_a_whole_table(connection: Any, names: dict[str, str], name: str) -> None:
    steps = await plan(connection, spelled(name))
    scanned = {names.get(table, table) for table in re.findall(r"Seq Scan on (\w+)", steps)}
    assert not scanned & set(TABLES), steps


def spelled(name: str, *keys: int) -> str:
    return query(name, keys).replace(":apart", "transactions")


ONE_PLACE = {
    "transactions": 1,
    "small_requests": 1,
    "requests": 1,
    "results": 1,
    "readings": 1,
    "renew": 1,
    "ids": 1,
    "make_readable": 1,
    "apply_changes": 5,  # its transactions, and where it writes: events, results, endings
    "events": 1,
    "events_at": 1,
    "chunks": 1,
    "mark_readings": 1,
    "release": 1,
    "is_past": 1,
    "forget_scopes": 1,
}


BY_KEY = ONE_PLACE.keys() - {"is_past", "forget_scopes"}
"""Of these no more rows are read than are asked for."""


@pytest.mark.parametrize("name", ONE_PLACE)
async def test_what_is_about_one_moment_looks_into_one_partition(
    connection: Any, names: dict[str, str], name: str
) -> None:
    """And locks no other: the server has kept the plan by then, for any values."""
    key = key_for(5, NOW + 3 * DAY)
    text = spelled(name, key)
    prepared = await connection.prepare(text)
    arguments: list[object] = []
    for kind in prepared.get_parameters():
        scalar = {"int8": "bigint", "int4": "integer", "int2": "smallint", "bool": "boolean"}
        base = scalar.get(kind.name.removesuffix("[]"), kind.name.removesuffix("[]"))
        sample = SAMPLES[base + ("[]" if kind.kind == "array" else "")]
        arguments.append({5: key}.get(sample, sample) if isinstance(sample, int) else sample)  # type: ignore[call-overload]
    if arguments and isinstance(arguments[0], list):
        arguments[0] = [key]
    for _ in range(9):
        async with connection.transaction():
            await prepared.fetch(*arguments)
            rows = await connection.fetch(
                "SELECT relname FROM pg_locks JOIN pg_class ON pg_class.oid = relation "
                "WHERE pid = pg_backend_pid() AND relkind = 'r'"
            )
    locked = [row[0] for row in rows if row[0] in names]
    assert len(locked) <= ONE_PLACE[name], locked


async def test_a_plan_that_was_made_for_empty_tables_reads_no_table_whole(database: str) -> None:
    """Prepared statements are planned once, and kept while the tables grow: each hour and day is new once."""
    connection = await open_connection(read_url(database))
    await connection.execute(making(Partition.of(table, NOW // HOUR) for table in HOURS))
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    for name in QUERIES.keys() - SCANS_ALLOWED:
        text = spelled(name, *([FIRST] if name in ONE_PLACE else []))
        prepared = await connection.prepare(text)
        nothing = ", ".join(["NULL"] * len(prepared.get_parameters()))
        await connection.execute(f"PREPARE one AS {text}")
        rows = await connection.fetch("EXPLAIN EXECUTE one" + (f"({nothing})" if nothing else ""))
        await connection.execute("DEALLOCATE one")
        steps = [row[0] for row in rows]
        for step, condition in zip(steps, [*steps[1:], ""], strict=True):
            found = re.search(r"(\w+) Scan.* on (\w+)", step)
            if found and re.sub(r"_(plain|\d+)$", "", found[2]) in TABLES:
                assert found[1] != "Seq", (name, step)
                assert "Cond" in condition or "Bitmap" in step, (name, step)
                if name in BY_KEY and not found[2].startswith(("ready", "idempotency")):
                    assert re.search(r"key = ", condition), (name, step, condition)
    connection.terminate()


async def test_a_claim_walks_the_turns_in_order(connection: Any) -> None:
    steps = await plan(connection, query("claim"))
    assert set(re.findall(r"using (\w+) on ready", steps)) == {"lines", "ready_pkey"}
    due = steps[steps.index("CTE due") : steps.index("CTE taken")]
    assert "Sort" not in due, steps
    steps = await plan(connection, query("next_due"))
    assert set(re.findall(r"using (\w+) on ready", steps)) == {"lines"}
    assert "Sort" not in steps


SEARCHES: list[tuple[dict[str, Any], str]] = [
    ({}, "lists"),
    ({"status": Status.FAILED}, "endings_pkey"),
    ({"status": Status.PENDING}, "openings"),
    ({"path": "/refunds"}, "paths"),
    ({"operation": "delete"}, "operations"),
    ({"tracking_id": "order-7"}, "trackings"),
    ({"dialect": Dialect.TASK}, "lists"),
    ({"created_from": 10, "created_to": 500}, "lists"),
    ({"status": Status.COMPLETED}, "endings_pkey"),
    ({"status": Status.FAILED, "path": "/payments"}, "endings_pkey"),
    ({"status": Status.COMPLETED, "path": "/refunds"}, "paths"),
    ({"status": Status.COMPLETED, "operation": "delete"}, "operations"),
    ({"status": Status.COMPLETED, "tracking_id": "order-7"}, "trackings"),
    ({"path": "/none", "operation": "create"}, "paths"),
    ({"operation": "delete", "path": "/payments"}, "operations"),
]


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize(("fields", "index"), SEARCHES, ids=str)
async def test_a_search_walks_the_index_of_its_filter(
    connection: Any, names: dict[str, str], fields: dict[str, Any], index: str, ascending: bool
) -> None:
    for after_key in (None, FIRST + 5):
        watched = Watched(connection)
        query = Query(tenant="tenant1", ascending=ascending, limit=50, after_key=after_key, **fields)
        await find(watched, query)  # type: ignore[arg-type]
        steps = watched.plans[-1]
        walked = {names.get(one, one) for one in re.findall(r"(?:using|on) (\w+)", steps)}
        assert index in walked, steps
        assert not any("Seq Scan" in plan for plan in watched.plans), watched.plans


async def test_what_is_being_processed_is_found_without_walking_what_waits(connection: Any) -> None:
    watched = Watched(connection)
    await find(watched, Query(tenant="tenant1", status=Status.PROCESSING))  # type: ignore[arg-type]
    (steps,) = watched.plans
    assert set(re.findall(r"using (\w+) on ready|on (\w+)  \(", steps)) >= {("begun", "")}, steps
    assert "openings" not in steps, steps
    assert "Seq Scan" not in steps, steps


async def test_every_table_that_grows_is_vacuumed_before_it_is_much_larger_than_what_is_in_it(
    connection: Any, names: dict[str, str]
) -> None:
    rows = await connection.fetch(
        """
        SELECT c.relname, coalesce(c.reloptions, '{}') || coalesce(t.reloptions, '{}') FROM pg_class AS c
        LEFT JOIN pg_class AS t ON t.oid = c.reltoastrelid
        WHERE c.relnamespace = 'restante'::regnamespace AND c.relkind = 'r'
        """
    )
    options = {row[0]: list(row[1]) for row in rows}
    every_twentieth = "autovacuum_vacuum_scale_factor=0.05"
    for table, given in options.items():
        of = names.get(table, table)
        if of in set(TABLES) - {"ready"}:
            with_bodies = of in ("events", "requests", "results", "chunks")
            assert given.count(every_twentieth) == 1 + with_bodies, table
        filled = "fillfactor=80" if table == "transactions_plain" else "fillfactor=50"
        assert (filled in given) == (of == "transactions"), table
    assert "autovacuum_vacuum_threshold=2000" in options["ready"]
