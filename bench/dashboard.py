"""How long a page of the dashboard takes with a large store behind it, and what counting the figures takes.

    python bench/dashboard.py [--rows 1000000] [--times 5] [--folder DIR] [--keep FILE] [--store postgresql://…]

Fills a store as `search.py --mixed` does (a third waits), with two events and an entry of the feed for each
transaction that has ended; counts the figures of all that; asks for each page, and prints the median and
the slowest of several times. `--store` is an empty PostgreSQL. What is measured is from the request to the
page as bytes: what the gateway adds is the same for any call.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable

import apsw
import asyncpg
import search

from restante.core.clock import DAY, MINUTE
from restante.core.identity import RANDOM_BYTES, mint
from restante.core.model import Query, Transaction
from restante.core.policy import Policy, Upstream
from restante.core.status import Status
from restante.dashboard import Dashboard
from restante.outbound import SystemChance
from restante.ports import Store
from restante.ports.dashboard import Asked
from restante.service import Service
from restante.stores.postgres import PostgresStore
from restante.stores.sqlite import SQLiteStore
from restante.stores.sqlite.migrate import migrations

TARGET = 200  # ms
BATCH = 500

EVENTS = """
INSERT INTO {p}events (key, sequence, kind, message, data, status, created_at)
SELECT key, 1, 0, 'Accepted', '{{}}', 0, created_at FROM {p}transactions;
INSERT INTO {p}events (key, sequence, kind, message, data, status, created_at)
SELECT key, 2, 0, 'Being executed', '{{"attempt":1}}', 1, created_at + 1500
FROM {p}transactions WHERE status > 0;
INSERT INTO {p}events (key, sequence, kind, message, data, status, created_at)
SELECT key, 3, CASE status WHEN 2 THEN 0 ELSE 1 END, 'Over', '{{}}', status, updated_at
FROM {p}transactions WHERE status > 1;
INSERT INTO {p}feed (tenant, key, id, behind, last, at)
SELECT tenant, key, id, 0, 3, updated_at FROM {p}transactions WHERE status > 1 ORDER BY key;
"""


class Clock:
    """It stands still just behind the newest transaction."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def call_at(self, moment: int, wake: Callable[[], None]) -> None:
        raise AssertionError("nobody waits here")


async def opened(arguments: argparse.Namespace, folder: str) -> Store:
    """The store, filled."""
    limits = search.Limits()
    if arguments.store:
        store: Store = await PostgresStore.open(arguments.store, limits=limits)
        step = 30 * DAY // arguments.rows
        await search.fill_postgres(arguments, step)
        connection = await asyncpg.connect(arguments.store)
        await connection.execute(EVENTS.format(p="restante."))
        await connection.execute("VACUUM ANALYZE")

        async def change(key: int, id: str) -> None:
            await connection.execute(
                "UPDATE restante.transactions SET id = $2 WHERE key = $1", key, uuid.UUID(id)
            )

        await given_ids(store, change)
        await connection.close()
        return store
    path = arguments.keep or f"{folder}/dashboard.db"
    if os.path.exists(path):
        return await SQLiteStore.open(path, limits=limits)
    search.fill(path, arguments.rows, mixed=True, waiting=arguments.waiting, scripts=migrations())
    connection = apsw.Connection(path)
    connection.execute(f"BEGIN; {EVENTS.format(p='')} COMMIT")
    store = await SQLiteStore.open(path, limits=limits)

    async def change(key: int, id: str) -> None:
        connection.execute("UPDATE transactions SET id = ? WHERE key = ?", (uuid.UUID(id).bytes, key))

    await given_ids(store, change)
    connection.close()
    return store


async def some(store: Store) -> list[Transaction]:
    """The newest, which waits, the newest that has ended, and the oldest."""
    asked = (
        Query(tenant="default", limit=1),
        Query(tenant="default", status=Status.COMPLETED, limit=1),
        Query(tenant="default", limit=1, ascending=True),
    )
    return [(await store.find(query))[0] for query in asked]


async def given_ids(store: Store, change: Callable[[int, str], Awaitable[None]]) -> None:
    """Ids that can be looked up, for those that will be."""
    for transaction in await some(store):
        await change(transaction.key, mint(transaction.key, os.urandom(RANDOM_BYTES), store.secret))


async def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        store = await opened(arguments, folder)
        try:
            await measure(store, arguments)
        finally:
            await store.close()


async def measure(store: Store, arguments: argparse.Namespace) -> None:
    begin, entries = time.perf_counter(), 0
    while count := await store.count_figures(BATCH):
        entries += count
    span = time.perf_counter() - begin
    print(f"{entries:,} entries counted in {span:.1f} s: {span / max(entries, 1) * 1e6:.1f} µs each")
    newest, ended, oldest = await some(store)
    policy = Policy(upstreams={"default": Upstream(host="127.0.0.1", port=1, authority="127.0.0.1:1")})
    clock = Clock(newest.created_at + MINUTE)
    service = Service(store=store, policy=policy, clock=clock, chance=SystemChance(), bell=None, courier=None)
    dashboard = Dashboard(service=service, policy=policy, open=True)
    pages = {
        **{f"overview, {name}": f"?range={name}" for name in ("15m", "1h", "6h", "24h", "7d", "30d")},
        "list": "ui/transactions",
        "list, failed": "ui/transactions?status=failed",
        "list, a rare path": "ui/transactions?endpoint=transactions/refunds",
        "list, the beginning of paths": "ui/transactions?endpoint=channel/*",
        "list, a tracking id": "ui/transactions?q=order-5000",
        "a code, new": f"ui/transactions?q={newest.code}",
        "a code, old (one of several pages)": f"ui/transactions?q={oldest.code}",
        "one that has ended": f"ui/transactions/{ended.id}",
        "one that waits, the last in line": f"ui/transactions/{newest.id}",
        "endpoints": "ui/endpoints",
        "dead letters": "ui/dead",
    }
    worst = 0.0
    for name, page in pages.items():
        path, _, query = page.partition("?")
        asked = Asked(method="GET", path=path, query=query, headers=(), origin="http://127.0.0.1")
        spans = []
        for _ in range(arguments.times):
            begin = time.perf_counter()
            shown = await dashboard.show(asked)
            spans.append((time.perf_counter() - begin) * 1e3)
            assert shown.code in (200, 303), (name, shown.code)
        worst = max(worst, statistics.median(spans))
        print(f"{name:<36} {statistics.median(spans):7.1f} ms  slowest {max(spans):7.1f} ms")
    print(f"slowest median {worst:.1f} ms; the target is {TARGET} ms; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--waiting", type=float, default=0.3)
    parser.add_argument("--folder")
    parser.add_argument("--keep", help="a file that is filled once and used again")
    parser.add_argument("--store")
    parser.set_defaults(mixed=True, plain=False)
    asyncio.run(main(parser.parse_args()))
