"""How long a page of a large store takes, for every combination of filters.

    python bench/search.py [--rows 1000000] [--mixed] [--waiting 0.3] [--folder DIR] [--keep FILE]
                           [--store postgresql://… [--plain]] [--every 1]

Fills a store with made-up transactions: most of them completed on a few paths, a handful of everything that
is rare. Asks for a page by every combination of status, operation, dialect, trigger endpoint, tracking id
and time, in both orders, from the start and from far behind it. Prints the median and the slowest of the
combinations, each the median of several reads. `--mixed` is a bad day: payments fail, and a share of the
store waits. With `--keep` the file is filled once and used again. `--old` fills it as version 1 did, so that
the first opening shows what the migrations take.

With `--store postgresql://…`, an empty database, the store is a month old and has a partition for each day;
with `--plain` as well all of it lies in one, as before there were partitions. `--every N` asks each Nth
combination.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import tempfile
import time
from typing import Any

import apsw
import asyncpg

from restante.core.clock import DAY, HOUR, SECOND
from restante.core.model import Query
from restante.core.policy import Limits
from restante.core.status import Dialect, Status
from restante.ports import Store
from restante.stores.postgres import PostgresStore
from restante.stores.postgres.keys import key_for
from restante.stores.postgres.partitions import making
from restante.stores.postgres.places import Partition
from restante.stores.sqlite import SQLiteStore
from restante.stores.sqlite.migrate import APPLICATION, migrations

START = 1_700_000_000 * SECOND
STEP = 40_000  # a million in half a day
PAGE = 51  # what a list of 50 reads
TARGET = 50  # ms

FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO transactions (
    key, id, tenant, created_at, updated_at, status, outcome, phase, sequence, attempt, doubtful, dialect,
    method, path, query, operation, upstream, priority, tracking_id, due_at, deadline, expires_at, sweep_at,
    result_status, reading
)
SELECT i, randomblob(16),
    CASE WHEN i % 50000 = 7 THEN 'rare' WHEN i % 10 = 3 THEN 'second' ELSE 'default' END,
    :start + i * :step, :start + i * :step + 2000000,
    CASE WHEN i > :ended + 20 THEN 0 WHEN i > :ended THEN 1 WHEN i % 50000 = 11 THEN 3
        WHEN i % 100000 = 19 THEN 4 WHEN :mixed AND i % 2 THEN 3 ELSE 2 END,
    iif(i > :ended, NULL, 0), 0, 3, 1, 0, iif(i % 50000 = 23, 1, 0), 'POST',
    CASE WHEN i % 50000 = 14 THEN '/transactions/refunds' WHEN i % 2 THEN '/transactions/payments'
        ELSE '/channel/v0/tickets/' || (i % 1000) END,
    '', CASE WHEN i % 50000 = 17 THEN 'delete' WHEN i % 2 THEN 'create' ELSE 'update' END,
    'default', 0, iif(i % 3, 'order-' || (i / 2), NULL), iif(i > :ended, :start + i * :step, NULL),
    :start + i * :step + 86400000000, :start + i * :step + 86400000000, :start + i * :step + 86400000000,
    iif(i > :ended, NULL, 200), 0
FROM n
"""


FILL_POSTGRES = """
INSERT INTO restante.transactions (
    key, id, tenant, created_at, updated_at, status, outcome, phase, sequence, attempt, doubtful, dialect,
    method, path, query, operation, upstream, priority, tracking_id, due_at, deadline, expires_at, sweep_at,
    result_status, reading
)
SELECT
    CASE WHEN $6::boolean THEN i ELSE ($2::bigint + i * $3::bigint + 86400000000) / 3600000000 << 28 | i END,
    gen_random_uuid(),
    CASE WHEN i % 50000 = 7 THEN 'rare' WHEN i % 10 = 3 THEN 'second' ELSE 'default' END,
    $2 + i * $3, $2 + i * $3 + 2000000,
    CASE WHEN i > $4::bigint + 20 THEN 0 WHEN i > $4 THEN 1 WHEN i % 50000 = 11 THEN 3
        WHEN i % 100000 = 19 THEN 4 WHEN $5::boolean AND i % 2 = 1 THEN 3 ELSE 2 END,
    CASE WHEN i > $4 THEN NULL ELSE 0 END, 0, 3, 1, 0, CASE WHEN i % 50000 = 23 THEN 1 ELSE 0 END, 'POST',
    CASE WHEN i % 50000 = 14 THEN '/transactions/refunds' WHEN i % 2 = 1 THEN '/transactions/payments'
        ELSE '/channel/v0/tickets/' || (i % 1000) END,
    '', CASE WHEN i % 50000 = 17 THEN 'delete' WHEN i % 2 = 1 THEN 'create' ELSE 'update' END,
    'default', 0, CASE WHEN i % 3 > 0 THEN 'order-' || (i / 2) END, CASE WHEN i > $4 THEN $2 + i * $3 END,
    $2 + i * $3 + 86400000000, $2 + i * $3 + 86400000000, $2 + i * $3 + 86400000000,
    CASE WHEN i > $4 THEN NULL ELSE 200 END, 0
FROM generate_series(1::bigint, $1::bigint) AS n (i)
"""
APART = (
    "INSERT INTO restante.ready (key, upstream, tenant, priority, due_at, created_at, sweep_at) "
    "SELECT key, upstream, tenant, priority, due_at, created_at, sweep_at FROM restante.transactions "
    "WHERE status < 2",
    "INSERT INTO restante.endings (tenant, status, created_at, key) "
    "SELECT tenant, status, created_at, key FROM restante.transactions WHERE status >= 2",
    "VACUUM ANALYZE",
)


async def fill_postgres(arguments: argparse.Namespace, step: int) -> None:
    rows = arguments.rows
    ended = int(rows * (1 - arguments.waiting)) if arguments.mixed else rows - 40
    connection = await asyncpg.connect(arguments.store)
    if not arguments.plain:
        days = range(START + DAY, START + rows * step + 2 * DAY, DAY)
        for table in ("transactions", "endings", "events"):
            await connection.execute(making(Partition.of(table, day // HOUR) for day in days))
    await connection.execute(FILL_POSTGRES, rows, START, step, ended, arguments.mixed, arguments.plain)
    for text in APART:
        await connection.execute(text)
    await connection.close()


def fill(path: str, rows: int, *, mixed: bool, waiting: float, scripts: list[str]) -> None:
    """A store as the first versions wrote it; the indexes are there before the rows, as in real life."""
    connection = apsw.Connection(path)
    connection.pragma("application_id", APPLICATION)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 0)
    connection.pragma("cache_size", -500_000)
    connection.execute("BEGIN")
    for script in scripts:
        connection.execute(script)
    connection.execute("INSERT INTO meta (secret, probes) VALUES (?, 0)", (os.urandom(16),))
    connection.pragma("user_version", len(scripts))
    ended = int(rows * (1 - waiting)) if mixed else rows - 40
    connection.execute(FILL, {"rows": rows, "ended": ended, "start": START, "step": STEP, "mixed": mixed})
    connection.execute("COMMIT")
    connection.close()


def queries(rows: int, *, step: int, middle: int) -> dict[str, Query]:
    """By name. `…` goes on in the middle of the store, behind that key."""
    end, part = START + rows * step, rows * step // 100
    filters: list[dict[str, dict[str, object]]] = [
        {status.value: {"status": status} for status in Status},
        {name: {"operation": name} for name in ("create", "delete", "read")},
        {dialect.value: {"dialect": dialect} for dialect in (Dialect.TASK, Dialect.TRANSACTION)},
        {
            "payments": {"path": "/transactions/payments"},
            "refunds": {"path": "/transactions/refunds"},
            "ticket 8": {"path": "/channel/v0/tickets/8"},
            "no path": {"path": "/nothing"},
            "tickets/*": {"path_prefix": "/channel/v0/tickets/"},
            "refunds*": {"path_prefix": "/transactions/refunds"},
            "nothing/*": {"path_prefix": "/nothing/"},
        },
        {"order": {"tracking_id": "order-5000"}},
        {
            "a minute far back": {"created_from": START + part, "created_to": START + part + 60 * SECOND},
            "long ago": {"created_to": START + part},
            "before all": {"created_to": START},
            "lately": {"created_from": end - part},
            "all but the ends": {"created_from": START + part, "created_to": end - part},
        },
        {"oldest first": {"ascending": True}},
        {"…": {"after_key": middle}, "at 10,000": {"offset": 10_000}},
    ]
    asked: dict[str, Query] = {}
    for names in itertools.product(*([None, *choices] for choices in filters)):
        fields: dict[str, Any] = {"tenant": "default", "limit": PAGE}
        for name, choices in zip(names, filters, strict=True):
            fields |= choices[name] if name else {}
        asked[", ".join(name for name in names if name) or "everything"] = Query(**fields)
    return asked


async def measure(store: Store, query: Query, times: int) -> float:
    """Milliseconds."""
    spans: list[float] = []
    for _ in range(times):
        begin = time.perf_counter()
        await store.find(query)
        spans.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(spans)


async def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.store:
            await ask_postgres(arguments)
            return
        path = arguments.keep or f"{folder}/search.db"
        if not os.path.exists(path):
            begin = time.perf_counter()
            scripts = migrations()[:1] if arguments.old else migrations()
            fill(path, arguments.rows, mixed=arguments.mixed, waiting=arguments.waiting, scripts=scripts)
            print(f"filled with {arguments.rows:,} in {time.perf_counter() - begin:.1f} s")
        begin = time.perf_counter()
        store = await SQLiteStore.open(path, limits=Limits())
        print(f"opened in {time.perf_counter() - begin:.1f} s, {os.path.getsize(path) / 1e6:,.0f} MB")
        await ask(store, queries(arguments.rows, step=STEP, middle=arguments.rows // 2), arguments)
        await store.close()


async def ask_postgres(arguments: argparse.Namespace) -> None:
    store = await PostgresStore.open(arguments.store, limits=Limits(max_queued=1 << 40))
    step = 30 * DAY // arguments.rows
    begin = time.perf_counter()
    await fill_postgres(arguments, step)
    print(f"filled with {arguments.rows:,} in {time.perf_counter() - begin:.1f} s")
    half = arguments.rows // 2
    middle = half if arguments.plain else key_for(half, START + half * step + DAY)
    await ask(store, queries(arguments.rows, step=step, middle=middle), arguments)
    await store.close()


async def ask(store: Store, asked: dict[str, Query], arguments: argparse.Namespace) -> None:
    names = list(asked)[:: arguments.every]
    spans = {name: await measure(store, asked[name], arguments.times) for name in names}
    slowest = sorted(spans, key=spans.__getitem__, reverse=True)
    slow = sum(span >= TARGET for span in spans.values())
    print(
        f"{len(spans):,} combinations: median {statistics.median(spans.values()):.1f} ms, "
        f"99 of 100 under {spans[slowest[len(slowest) // 100]]:.1f} ms, {slow} of {TARGET} ms or more"
    )
    for name in slowest[: arguments.shown]:
        print(f"{spans[name]:8.1f} ms  {name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--shown", type=int, default=15)
    parser.add_argument("--mixed", action="store_true", help="a bad day: payments fail, much waits")
    parser.add_argument("--waiting", type=float, default=0.3, help="the share that waits on such a day")
    parser.add_argument("--old", action="store_true", help="fill it as version 1 did")
    parser.add_argument("--folder", default=".")
    parser.add_argument("--keep")
    parser.add_argument("--store", help="postgresql://USER@HOST/DATABASE, empty")
    parser.add_argument("--plain", action="store_true", help="without partitions")
    parser.add_argument("--every", type=int, default=1)
    asyncio.run(main(parser.parse_args()))
