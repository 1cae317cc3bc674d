"""What a transaction takes: bytes on disk, and of the log that is written for it.

    python bench/size.py [--count 20000] [--body 300] [--store postgresql://…]

Runs whole lives (accept, begin, complete; body and answer of `--body` bytes each) into a file or, with
`--store`, into an empty PostgreSQL, and prints what one of them takes when it is over, and what is left of it
once its result is past its retention.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import asyncpg
import msgspec
import store as lives
import uvloop

from restante.assembly.store import open_store
from restante.core import change
from restante.core.clock import SECOND
from restante.core.model import Accepted, Body, Request, Result, Transaction
from restante.core.policy import Limits
from restante.ports import Store

AT_ONCE = 64
PURGED = 100
"""Transactions whose result is removed in one commit."""

LOG = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
TABLES = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables WHERE schemaname = 'restante'"


async def live(store: Store, key: int, body: bytes) -> Transaction:
    """One, from its accept to its end."""
    plain = lives.submission(store, key)
    request = Request(lives.HEADERS, Body(len(body), body))
    (answer,) = await store.accept([msgspec.structs.replace(plain, request=request)])
    assert isinstance(answer, Accepted)
    now = answer.transaction.created_at
    begun = change.begin(answer.transaction, attempt=1, now=now, lease=15 * SECOND)
    await store.apply([begun])
    result = Result(200, lives.HEADERS, Body(len(body), body), 1)
    ended = change.complete(begun.after, attempt=1, now=now, result=result, data={"status_code": 200})
    assert await store.apply([ended]) == [True]
    return ended.after


async def taken(url: str, path: Path) -> tuple[int, int]:
    """Bytes of the data, and of the log so far (of a file: what the log has grown to)."""
    if not url.startswith("postgres"):
        return path.stat().st_size, Path(f"{path}-wal").stat().st_size
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CHECKPOINT")
        return int(await connection.fetchval(TABLES)), int(await connection.fetchval(LOG))
    finally:
        await connection.close()


async def main(arguments: argparse.Namespace) -> None:
    count, body = arguments.count, os.urandom(arguments.body // 2).hex().encode()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "size.db"
        url = arguments.store or f"sqlite:///{path}"
        store = await open_store(url, limits=Limits())
        empty, log = await taken(url, path)
        keys: list[int] = []
        ended: list[Transaction] = []

        async def one() -> None:
            while len(ended) < count:
                if not keys:
                    keys.extend(await lives.reserved(store))
                ended.append(await live(store, keys.pop(), body))

        began = time.perf_counter()
        await asyncio.gather(*[one() for _ in range(AT_ONCE)])
        took = time.perf_counter() - began
        if not arguments.store:  # so that the log is in the file
            await store.close()
            store = await open_store(url, limits=Limits())
        full, later = await taken(url, path)
        print(f"{len(ended):,} lives with {len(body)} bytes each way, {len(ended) / took:,.0f} per second")
        print(f"data      {(full - empty) / len(ended):8,.0f} bytes per transaction")
        if arguments.store:
            print(f"log       {(later - log) / len(ended):8,.0f} bytes per transaction")
        for place in range(0, len(ended), PURGED):
            await store.purge(ended[place : place + PURGED], [])
        await store.close()
        rest = await left(url, path)
        print(f"history   {(rest - empty) / len(ended):8,.0f} bytes per transaction, when the result is gone")


async def left(url: str, path: Path) -> int:
    """Bytes of the data without the room that is free for others."""
    if not url.startswith("postgres"):
        import apsw

        connection = apsw.Connection(str(path))
        pages, free, size = (
            int(connection.pragma(name)) for name in ("page_count", "freelist_count", "page_size")
        )
        connection.close()
        return (pages - free) * size
    connection = await asyncpg.connect(url)
    try:
        for row in await connection.fetch(
            "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'restante'"
        ):
            await connection.execute(f'VACUUM FULL restante."{row[0]}"')
        return int(await connection.fetchval(TABLES))
    finally:
        await connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--body", type=int, default=300)
    parser.add_argument("--store", help="postgresql://USER@HOST/DATABASE")
    uvloop.run(main(parser.parse_args()))
