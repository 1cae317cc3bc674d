"""What it costs to get rid of results past their retention: a partition dropped, against the rows deleted.

    python bench/retention.py --store postgresql://… [--rows 1000000] [--rounds 2] [--body 300]

In an empty PostgreSQL, in turns: so many transactions that ended long ago are made up, with their requests
and results, once under keys of one hour, whose partitions are dropped, and once under plain keys, which are
swept row by row as every result was before there were partitions. Meanwhile 64 coroutines accept, each waits
for its own commit, first undisturbed and then while that is going on. Prints how long it took, how many were
accepted beside it against before; and once without them the log that was written, what is left on the disk,
and dead rows.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import asyncpg
import msgspec
import store as lives
import uvloop

from restante.assembly.store import open_store
from restante.core.clock import DAY
from restante.core.policy import Limits
from restante.core.retention import forgotten_at
from restante.ports import Store
from restante.stores.postgres.keys import key_for

AT_ONCE = 64
UNDISTURBED_SECONDS = 5.0

FILL = """
INSERT INTO restante.transactions (
    key, id, tenant, created_at, updated_at, status, outcome, phase, sequence, attempt, doubtful, dialect,
    method, path, query, operation, upstream, priority, deadline, expires_at, sweep_at, result_status, reading
) SELECT $1::bigint + i, gen_random_uuid(), 'old', $2::bigint + i, $2 + i, 2, 0, 0, 3, 1, 0, 0,
    'POST', '/payments', '', 'create', 'default', 0, $2 + $4::bigint, $2 + $4, $2 + $4, 200, 0
FROM generate_series(1, $3::integer) AS i
"""
REQUESTS = """
INSERT INTO restante.requests (key, headers, size, body)
SELECT $1::bigint + i, $3::bytea, length($4::bytea), $4 FROM generate_series(1, $2::integer) AS i
"""
RESULTS = """
INSERT INTO restante.results (key, status, headers, size, body, attempt)
SELECT $1::bigint + i, 200, $3::bytea, length($4::bytea), $4, 1 FROM generate_series(1, $2::integer) AS i
"""
STATE = """
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn,
    sum(pg_total_relation_size(relid))::bigint, sum(n_dead_tup)::bigint
FROM pg_stat_user_tables WHERE relname ~ '^(requests|results|transactions)'
"""


class Load:
    """Accepts, as fast as they are answered."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.spans: list[float] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._accept()) for _ in range(AT_ONCE)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self) -> None:
        while True:
            begin = time.perf_counter()
            await lives.accept(self._store, self._keys)
            self.spans.append(time.perf_counter() - begin)

    async def during(self, work: Awaitable[object]) -> tuple[float, float, float]:
        """Seconds that the work took, accepts per second meanwhile, and what 99 of 100 of them took."""
        self.spans = []
        begin = time.perf_counter()
        await work
        took = time.perf_counter() - begin
        spans = sorted(self.spans)
        return took, len(spans) / took, spans[len(spans) * 99 // 100] if spans else took


async def fill(url: str, first: int, created_at: int, rows: int, body: bytes) -> None:
    connection = await asyncpg.connect(url)
    headers = msgspec.msgpack.encode(lives.HEADERS)
    await connection.execute(FILL, first, created_at, rows, DAY)
    await connection.execute(REQUESTS, first, rows, headers, body)
    await connection.execute(RESULTS, first, rows, headers, body)
    await connection.execute("VACUUM ANALYZE restante.transactions, restante.requests, restante.results")
    await connection.execute("CHECKPOINT")
    await connection.close()


async def dropped(store: Store, now: int) -> None:
    await store.tidy(now)


async def deleted(store: Store, now: int) -> None:
    """As the sweeper does."""
    limits = Limits()
    while lapsed := [one for one in await store.lapsed(now, limits.sweep) if one.tenant == "old"]:
        moved = [msgspec.structs.replace(one, sweep_at=forgotten_at(one, limits)) for one in lapsed]
        await store.purge(moved, [])


async def state(url: str) -> tuple[int, int, int]:
    """The log so far, bytes of the tables, dead rows in them."""
    connection = await asyncpg.connect(url)
    await connection.execute("SELECT pg_stat_force_next_flush()")
    wal, size, dead = await connection.fetchrow(STATE)
    await connection.close()
    return int(wal), int(size), int(dead)


Way = Callable[[Store, int], Awaitable[None]]


async def filled(store: Store, url: str, way: Way, turn: int, arguments: argparse.Namespace) -> None:
    """With results that expired some days ago, of each turn in another hour."""
    created_at = time.time_ns() // 1000 - (3 + turn) * DAY
    first = turn * arguments.rows if way is deleted else key_for(0, created_at + DAY)
    if way is dropped:
        await store._partitions.make_room([first])  # type: ignore[attr-defined]
    await fill(url, first, created_at, arguments.rows, bytes(arguments.body))


async def alone(store: Store, url: str, way: Way) -> None:
    _, full, _ = await state(url)
    log, _, _ = await state(url)
    begin = time.perf_counter()
    await way(store, time.time_ns() // 1000)
    took = time.perf_counter() - begin
    later, left, dead = await state(url)
    print(
        f"{way.__name__:8} alone   {took:7.2f} s, log {(later - log) / 1e6:8.1f} MB, "
        f"disk {full / 1e6:6.0f} -> {left / 1e6:6.0f} MB, dead rows {dead:,}"
    )


async def beside(store: Store, way: Way) -> float:
    """For how many seconds' worth there were no accepts meanwhile."""
    load = Load(store)
    load.start()
    await load.during(asyncio.sleep(1))
    _, before, most = await load.during(asyncio.sleep(UNDISTURBED_SECONDS))
    took, rate, longest = await load.during(way(store, time.time_ns() // 1000))
    await load.stop()
    lost = took * (1 - rate / before)
    print(
        f"{way.__name__:8} beside  {took:7.2f} s, accepts {rate / before:5.2f} of before: "
        f"{lost:.2f} s of accepts lost; 99 of 100 within {longest * 1e3:5.1f} ms (before {most * 1e3:.1f} ms)"
    )
    return lost


async def main(arguments: argparse.Namespace) -> None:
    url = arguments.store
    store = await open_store(url, limits=Limits(max_queued=1 << 40))
    await dropped(store, time.time_ns() // 1000)  # makes the partitions ahead
    losses: dict[str, list[float]] = {}
    print(f"{arguments.rows:,} results past their retention, with bodies of {arguments.body} bytes each way")
    for turn in range(arguments.rounds + 1):
        for way in (dropped, deleted):
            await filled(store, url, way, turn, arguments)
            if turn == 0:
                await alone(store, url, way)
            else:
                losses.setdefault(way.__name__, []).append(await beside(store, way))
    for name, found in losses.items():
        print(f"{name:8} {statistics.median(found):.2f} s of accepts lost (median of {len(found)})")
    await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--store", required=True, help="postgresql://USER@HOST/DATABASE, empty")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--body", type=int, default=300)
    uvloop.run(main(parser.parse_args()))
