"""How long a page of a large store takes, for every filter and the pairs that people use.

    python bench/search.py [--rows 1000000] [--folder DIR] [--keep FILE]

Fills a store with made-up transactions: most of them completed on a few paths, a handful of everything that
is rare. Prints the median and the slowest of several reads of the first page, and of a page far behind it.
With `--keep` the file is filled once and used again. `--old` fills it as version 1 did, so that the
first opening shows what the migration takes.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time

import apsw
import msgspec

from restante.core.clock import SECOND
from restante.core.model import Query, Transaction
from restante.core.policy import Limits
from restante.core.status import Status
from restante.stores.sqlite import SQLiteStore
from restante.stores.sqlite.migrate import APPLICATION, migrations

START = 1_700_000_000 * SECOND
STEP = 40_000  # a million in half a day
PAGE = 51  # what a list of 50 reads

FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO transactions
SELECT i, randomblob(16),
    CASE WHEN i % 50000 = 7 THEN 'rare' WHEN i % 10 = 3 THEN 'second' ELSE 'default' END,
    :start + i * :step, :start + i * :step + 2000000,
    CASE WHEN i > :ended + 20 THEN 0 WHEN i > :ended THEN 1 WHEN i % 50000 = 11 THEN 3
        WHEN i % 100000 = 19 THEN 4 WHEN :mixed AND i % 2 THEN 3 ELSE 2 END,
    iif(i > :ended, NULL, 0), 0, 3, 1, 0, 0, 'POST',
    CASE WHEN i % 50000 = 14 THEN '/transactions/refunds' WHEN i % 2 THEN '/transactions/payments'
        ELSE '/channel/v0/tickets/' || (i % 1000) END,
    '', CASE WHEN i % 50000 = 17 THEN 'delete' WHEN i % 2 THEN 'create' ELSE 'update' END,
    'default', 0, iif(i % 3, 'order-' || (i / 2), NULL), iif(i > :ended, :start + i * :step, NULL),
    :start + i * :step + 86400000000, :start + i * :step + 86400000000, :start + i * :step + 86400000000,
    iif(i > :ended, NULL, 200), 0, NULL
FROM n
"""


def fill(path: str, rows: int, *, mixed: bool, scripts: list[str]) -> None:
    """A store as the first versions wrote it; the indexes are there before the rows, as in real life."""
    connection = apsw.Connection(path)
    connection.pragma("application_id", APPLICATION)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 0)
    connection.pragma("cache_size", -500_000)
    connection.execute("BEGIN")
    for script in scripts:
        connection.execute(script)
    connection.execute("INSERT INTO meta VALUES (?, 0)", (os.urandom(16),))
    connection.pragma("user_version", len(scripts))
    ended = rows * 7 // 10 if mixed else rows - 40
    connection.execute(FILL, {"rows": rows, "ended": ended, "start": START, "step": STEP, "mixed": mixed})
    connection.execute("COMMIT")
    connection.close()


def queries(rows: int) -> dict[str, Query]:
    early = START + rows * STEP // 100
    some = Query(tenant="default", limit=PAGE)
    parts: dict[str, dict[str, object]] = {
        "pending": {"status": Status.PENDING},
        "processing": {"status": Status.PROCESSING},
        "completed": {"status": Status.COMPLETED},
        "failed": {"status": Status.FAILED},
        "cancelled": {"status": Status.CANCELLED},
        "create": {"operation": "create"},
        "delete": {"operation": "delete"},
        "no operation": {"operation": "none"},
        "payments": {"path": "/transactions/payments"},
        "refunds": {"path": "/transactions/refunds"},
        "ticket 8": {"path": "/channel/v0/tickets/8"},
        "no path": {"path": "/nothing"},
        "order": {"tracking_id": "order-5000"},
        "no order": {"tracking_id": "none"},
        "far back": {"created_from": early, "created_to": early + 60 * SECOND},
        "long ago": {"created_to": early},
        "before all": {"created_to": START},
        "tenant": {"tenant": "rare"},
    }
    asked = {"everything": some}
    names = list(parts)
    for place, name in enumerate(names):
        asked[name] = msgspec.structs.replace(some, **parts[name])
        for other in names[place + 1 :]:
            if not parts[name].keys() & parts[other].keys():
                asked[f"{name}, {other}"] = msgspec.structs.replace(some, **parts[name], **parts[other])
    return asked


async def measure(store: SQLiteStore, name: str, query: Query, times: int) -> float:
    spans: list[float] = []
    found: list[Transaction] = []
    for _ in range(times):
        begin = time.perf_counter()
        found = await store.find(query)
        spans.append((time.perf_counter() - begin) * 1e3)
        if spans[-1] > 1000:
            break
    print(f"{name:32} {len(found):3} rows  {statistics.median(spans):8.1f} ms  {max(spans):8.1f} ms")
    return statistics.median(spans)


async def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = arguments.keep or f"{folder}/search.db"
        if not os.path.exists(path):
            begin = time.perf_counter()
            scripts = migrations()[:1] if arguments.old else migrations()
            fill(path, arguments.rows, mixed=arguments.mixed, scripts=scripts)
            print(f"filled with {arguments.rows:,} in {time.perf_counter() - begin:.1f} s")
        begin = time.perf_counter()
        store = await SQLiteStore.open(path, limits=Limits())
        print(f"opened in {time.perf_counter() - begin:.1f} s, {os.path.getsize(path) / 1e6:,.0f} MB")
        worst: dict[str, float] = {}
        for name, query in queries(arguments.rows).items():
            worst[name] = await measure(store, name, query, arguments.times)
            if query.created_to is None and query.created_from is None:
                behind = msgspec.structs.replace(query, after_key=arguments.rows // 2)
                worst[name + " …"] = await measure(store, name + " …", behind, arguments.times)
        slow = sorted(worst, key=worst.__getitem__, reverse=True)[:5]
        print("slowest:", ", ".join(f"{name} {worst[name]:.1f} ms" for name in slow))
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--mixed", action="store_true", help="a bad day: payments fail, a third waits")
    parser.add_argument("--old", action="store_true", help="fill it as version 1 did")
    parser.add_argument("--folder", default=".")
    parser.add_argument("--keep")
    asyncio.run(main(parser.parse_args()))
