"""Stores with millions in them, within minutes: one life is lived, then multiplied by SQL.

    python bench/fill.py URL [--finished 1000000] [--queued 0] [--expired 0]

A store fills itself with one transaction that is finished and one that waits. Every row that these have in
any table is copied as often as asked, under keys and ids of its own, with all its moments moved: the
finished ones over the last day, the expired ones over an hour before that. So a copy is what the store
would have written, whatever its schema; for its figures they are counted, as they would have been long ago.
The ids of some are made as the store makes them, so that they can be asked for.
"""

import argparse
import asyncio
import os
import time

import apsw
import asyncpg
import msgspec
from store import live, reserved, submission

from restante.assembly.store import open_store
from restante.core.clock import DAY, HOUR
from restante.core.identity import RANDOM_BYTES, mint
from restante.core.policy import Limits
from restante.stores.postgres.keys import NUMBER_BITS
from restante.stores.postgres.partitions import making
from restante.stores.postgres.places import HOURS, Partition

ASKED = 5000
"""Finished transactions whose ids are known."""

BUSY_MS = 60_000

MOMENTS = frozenset(
    {"at", "created_at", "updated_at", "due_at", "deadline", "expires_at", "sweep_at", "ended_at"}
)

FINISHED_SPAN = (23 * HOUR, 3 * HOUR)
"""How long ago they were accepted: the first and the last."""
QUEUED_SPAN = (2 * HOUR, HOUR)
EXPIRED_SPAN = (DAY + 3 * HOUR, DAY + 2 * HOUR)


class Filled(msgspec.Struct):
    """`last_key`: what comes later has greater ones. `ids`: of finished ones, all over the store."""

    last_key: int
    ids: list[str]


class Part(msgspec.Struct):
    """So many copies of the row `template`, accepted in this span; `first` is the number of the first one."""

    template: int
    first: int
    count: int
    begin: int
    """When the first one is accepted; the template's was accepted at `origin`."""
    step: int
    origin: int

    @property
    def delta(self) -> str:
        """What is added to a moment of copy `i`."""
        return f"({self.begin - self.origin} + (i - {self.first}) * {self.step})"


async def fill(url: str, *, finished: int = 0, queued: int = 0, expired: int = 0) -> Filled:
    """An empty store is given so many of each."""
    store = await open_store(url, limits=Limits())
    keys = (await reserved(store))[:2]
    await live(store, keys[:1])
    await store.accept([msgspec.structs.replace(submission(store, keys[1]), claim=False)])
    secret = store.secret
    await store.close()
    now = time.time_ns() // 1000
    parts, first = [], 1024 * 1024
    for template, count, (begin, end) in (
        (keys[0], expired, EXPIRED_SPAN),
        (keys[0], finished, FINISHED_SPAN),
        (keys[1], queued, QUEUED_SPAN),
    ):
        if count:
            parts.append(Part(template, first, count, now - begin, (begin - end) // count, now))
            first += count
    asked = [part for part in parts if part.template == keys[0]][-1:]
    into = into_postgres if url.startswith("postgres") else into_sqlite
    return await into(url, parts, asked, secret)


def minted(keys: list[int], secret: bytes) -> list[tuple[int, str]]:
    return [(key, mint(key, os.urandom(RANDOM_BYTES), secret)) for key in keys]


def numbers(part: Part) -> list[int]:
    return list(range(part.first, part.first + part.count, max(part.count // ASKED, 1)))


def expressions(columns: list[str], part: Part, *, key: str, id: str) -> list[str]:
    """What each column of copy `i` is made of."""
    return [
        key
        if name == "key"
        else id
        if name == "id"
        else f"m.{name} + {part.delta}"
        if name in MOMENTS
        else f"m.{name}"
        for name in columns
    ]


async def into_sqlite(url: str, parts: list[Part], asked: list[Part], secret: bytes) -> Filled:
    connection = apsw.Connection(url.removeprefix("sqlite:///"))
    for name, value in (("journal_mode", "off"), ("synchronous", 0), ("cache_size", -1_000_000)):
        connection.pragma(name, value)
    tables = [
        row[0] for row in connection.execute("SELECT name FROM pragma_table_list WHERE schema = 'main'")
    ]
    connection.execute("BEGIN")
    for table in tables:
        about = list(connection.execute("SELECT name, pk FROM pragma_table_info(?)", (table,)))
        columns = [name for name, pk in about if not (pk and name == "number")]  # the table counts by itself
        if "key" not in columns:
            continue
        for part in parts:
            connection.execute(
                f"CREATE TEMP TABLE m AS SELECT * FROM main.{table} WHERE key = ?", (part.template,)
            )
            made = expressions(columns, part, key="i", id="randomblob(16)")
            connection.execute(
                f"INSERT INTO main.{table} ({', '.join(columns)}) "
                f"WITH RECURSIVE n (i) AS (SELECT {part.first} UNION ALL SELECT i + 1 FROM n "
                f"WHERE i < {part.first + part.count - 1}) SELECT {', '.join(made)} "
                "FROM n CROSS JOIN temp.m AS m"
            )
            connection.execute("DROP TABLE temp.m")
    ids = [one for part in asked for one in minted(numbers(part), secret)]
    connection.executemany(
        "UPDATE transactions SET id = unhex(?) WHERE key = ?", [(id.replace("-", ""), key) for key, id in ids]
    )
    connection.execute("UPDATE counted SET place = (SELECT coalesce(max(number), 0) FROM feed)")
    connection.execute("COMMIT")
    connection.pragma("journal_mode", "wal")
    last = connection.execute("SELECT max(key) FROM transactions").get
    connection.close()
    return Filled(last, [id for _, id in ids])


COLUMNS = """
SELECT table_name::text, array_agg(column_name::text ORDER BY ordinal_position)
FROM information_schema.columns
WHERE table_schema = 'restante' AND is_identity = 'NO' AND (column_default IS NULL OR column_name = 'begun')
GROUP BY table_name HAVING 'key' = ANY (array_agg(column_name))
"""
PARENTS = """
SELECT relname::text FROM pg_class
WHERE relnamespace = 'restante'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""


COUNTED = """
UPDATE restante.counted SET place = newest.number, upto = newest.number
FROM (SELECT coalesce(max(number), 0) AS number FROM restante.feed) AS newest
"""


def key_at(part: Part, number: int) -> int:
    """As `key_for`, of a transaction that is kept for a day."""
    expires_at = part.begin + (number - part.first) * part.step + DAY
    return expires_at // HOUR << NUMBER_BITS | number


async def into_postgres(url: str, parts: list[Part], asked: list[Part], secret: bytes) -> Filled:
    connection = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '256MB'")
    hours = {key_at(part, number) >> NUMBER_BITS for part in parts for number in numbers(part)}
    if hours:
        wanted = {Partition.of(table, hour) for table in HOURS for hour in range(min(hours), max(hours) + 1)}
        for partition in sorted(wanted):
            await connection.execute(making([partition]))
    parents = {row[0] for row in await connection.fetch(PARENTS)}
    tables = {name: columns for name, columns in await connection.fetch(COLUMNS) if name in parents}
    for table, columns in tables.items():
        for part in parts:
            expires_at = f"({part.begin + DAY}::bigint + (i - {part.first}) * {part.step})"
            key = f"({expires_at} / {HOUR} << {NUMBER_BITS} | i)"
            made = expressions(columns, part, key=key, id="gen_random_uuid()")
            await connection.execute(
                f"CREATE TEMP TABLE m ON COMMIT PRESERVE ROWS AS SELECT * FROM restante.{table} "
                f"WHERE key = {part.template}"
            )
            await connection.execute(
                f"INSERT INTO restante.{table} ({', '.join(columns)}) SELECT {', '.join(made)} "
                f"FROM generate_series({part.first}::bigint, {part.first + part.count - 1}) AS n (i), m"
            )
            await connection.execute("DROP TABLE m")
    found = [
        one for part in asked for one in minted([key_at(part, number) for number in numbers(part)], secret)
    ]
    await connection.executemany("UPDATE restante.transactions SET id = $2 WHERE key = $1", found)
    await connection.execute(COUNTED)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    last = await connection.fetchval("SELECT max(key) FROM restante.transactions")
    await connection.close()
    return Filled(last, [id for _, id in found])


async def cut(url: str, last_key: int) -> None:
    """Removes all that came after."""
    if url.startswith("postgres"):
        connection = await asyncpg.connect(url)
        parents = {row[0] for row in await connection.fetch(PARENTS)}
        for name, _ in await connection.fetch(COLUMNS):
            if name in parents:
                await connection.execute(f"DELETE FROM restante.{name} WHERE key > $1", last_key)
        await connection.close()
        return
    file = apsw.Connection(url.removeprefix("sqlite:///"))
    file.set_busy_timeout(BUSY_MS)
    tables = "SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE c.name = 'key'"
    file.execute("BEGIN IMMEDIATE")
    for (name,) in list(file.execute(f"{tables} AND m.type = 'table'")):
        file.execute(f"DELETE FROM {name} WHERE key > ?", (last_key,))
    file.execute("COMMIT")
    file.close()


async def results(url: str) -> int:
    """How many results are kept."""
    if url.startswith("postgres"):
        connection = await asyncpg.connect(url)
        count = await connection.fetchval("SELECT count(*) FROM restante.results")
        await connection.close()
        return int(count)
    file = apsw.Connection(url.removeprefix("sqlite:///"), flags=apsw.SQLITE_OPEN_READONLY)
    file.set_busy_timeout(BUSY_MS)
    count = file.execute("SELECT count(*) FROM results").get
    file.close()
    return int(count)


async def progress(url: str) -> tuple[int, int]:
    """How many are not finished, and how many are completed."""
    if url.startswith("postgres"):
        connection = await asyncpg.connect(url)
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM restante.ready),"
            " (SELECT count(*) FROM restante.endings WHERE status = 2)"
        )
        await connection.close()
        return int(row[0]), int(row[1])
    file = apsw.Connection(url.removeprefix("sqlite:///"), flags=apsw.SQLITE_OPEN_READONLY)
    file.set_busy_timeout(BUSY_MS)
    one, other = (
        file.execute(f"SELECT count(*) FROM transactions WHERE status {which}").get
        for which in ("< 2", "= 2")
    )
    file.close()
    return int(one), int(other)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--queued", type=int, default=0)
    parser.add_argument("--expired", type=int, default=0)
    chosen = parser.parse_args()
    begun = time.perf_counter()
    asyncio.run(fill(chosen.url, finished=chosen.finished, queued=chosen.queued, expired=chosen.expired))
    print(f"filled in {time.perf_counter() - begun:.1f} s")
