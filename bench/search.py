"""How long a page of a large store takes, for every combination of filters.

    python bench/search.py [--rows 1000000] [--mixed] [--waiting 0.3] [--folder DIR] [--keep FILE]

Fills a store with made-up transactions: most of them completed on a few paths, a handful of everything that
is rare. Asks for a page by every combination of status, operation, dialect, trigger endpoint, tracking id
and time, in both orders, from the start and from far behind it. Prints the median and the slowest of the
combinations, each the median of several reads. `--mixed` is a bad day: payments fail, and a share of the
store waits. With `--keep` the file is filled once and used again. `--old` fills it as version 1 did, so that
the first opening shows what the migrations take.
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

from restante.core.clock import SECOND
from restante.core.model import Query
from restante.core.policy import Limits
from restante.core.status import Dialect, Status
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
    connection.execute("INSERT INTO meta VALUES (?, 0)", (os.urandom(16),))
    connection.pragma("user_version", len(scripts))
    ended = int(rows * (1 - waiting)) if mixed else rows - 40
    connection.execute(FILL, {"rows": rows, "ended": ended, "start": START, "step": STEP, "mixed": mixed})
    connection.execute("COMMIT")
    connection.close()


def queries(rows: int) -> dict[str, Query]:
    """By name. `…` goes on in the middle of the store."""
    end, part = START + rows * STEP, rows * STEP // 100
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
        {"…": {"after_key": rows // 2}, "at 10,000": {"offset": 10_000}},
    ]
    asked: dict[str, Query] = {}
    for names in itertools.product(*([None, *choices] for choices in filters)):
        fields: dict[str, Any] = {"tenant": "default", "limit": PAGE}
        for name, choices in zip(names, filters, strict=True):
            fields |= choices[name] if name else {}
        asked[", ".join(name for name in names if name) or "everything"] = Query(**fields)
    return asked


async def measure(store: SQLiteStore, query: Query, times: int) -> float:
    """Milliseconds."""
    spans: list[float] = []
    for _ in range(times):
        begin = time.perf_counter()
        await store.find(query)
        spans.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(spans)


async def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = arguments.keep or f"{folder}/search.db"
        if not os.path.exists(path):
            begin = time.perf_counter()
            scripts = migrations()[:1] if arguments.old else migrations()
            fill(path, arguments.rows, mixed=arguments.mixed, waiting=arguments.waiting, scripts=scripts)
            print(f"filled with {arguments.rows:,} in {time.perf_counter() - begin:.1f} s")
        begin = time.perf_counter()
        store = await SQLiteStore.open(path, limits=Limits())
        print(f"opened in {time.perf_counter() - begin:.1f} s, {os.path.getsize(path) / 1e6:,.0f} MB")
        asked = queries(arguments.rows)
        spans = {name: await measure(store, query, arguments.times) for name, query in asked.items()}
        slowest = sorted(spans, key=spans.__getitem__, reverse=True)
        slow = sum(span >= TARGET for span in spans.values())
        print(
            f"{len(spans):,} combinations: median {statistics.median(spans.values()):.1f} ms, "
            f"99 of 100 under {spans[slowest[len(slowest) // 100]]:.1f} ms, {slow} of {TARGET} ms or more"
        )
        for name in slowest[: arguments.shown]:
            print(f"{spans[name]:8.1f} ms  {name}")
        await store.close()


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
    asyncio.run(main(parser.parse_args()))
