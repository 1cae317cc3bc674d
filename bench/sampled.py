"""What a server and its store have at a moment: memory, descriptors, files, tables."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ends import SQLITE, Process

MIB = 2**20

TABLES = ("transactions", "events", "requests", "results", "idempotency", "deliveries", "attempts", "feed")
"""Of a file, those that are swept. (Figures are kept for two days, so they still grow in an hour.)"""

SIZES = """
SELECT relname ~ '_[0-9]{8,10}$', sum(pg_total_relation_size(oid))::bigint FROM pg_class
WHERE relnamespace = 'restante'::regnamespace AND relkind = 'r' GROUP BY 1
"""
LOG = "SELECT sum(size)::bigint FROM pg_ls_waldir()"

Value = tuple[str, str, float]
"""What, its unit, how much."""


def process(server: Process) -> Iterator[Value]:
    """Of it and its children together. PSS counts what they share once."""
    yield "memory, RSS", "MiB", server.resident_kib() / 1024
    yield "memory, PSS", "MiB", sum(map(_proportional_kib, server.all())) / 1024
    yield "descriptors", "open", sum(len(os.listdir(one / "fd")) for one in server.all())


def _proportional_kib(process: Path) -> int:
    found = re.search(r"^Pss:\s+(\d+)", (process / "smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


async def store(url: str, lives: int) -> list[Value]:
    """`lives` is how many transactions it was given by now."""
    return (
        list(_file(url.removeprefix("sqlite:///"))) if url.startswith(SQLITE) else await _database(url, lives)
    )


def _file(path: str) -> Iterator[Value]:
    import apsw

    log = Path(f"{path}-wal")
    yield "file", "MiB", Path(path).stat().st_size / MIB
    yield "log", "MiB", (log.stat().st_size if log.exists() else 0) / MIB
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        free = connection.pragma("freelist_count") * connection.pragma("page_size")
        yield "free pages", "MiB", free / MIB
        for table in TABLES:
            yield f"rows of {table}", "rows", connection.execute(f"SELECT count(*) FROM {table}").get
    finally:
        connection.close()


async def _database(url: str, lives: int) -> list[Value]:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        sizes = dict(await connection.fetch(SIZES))
        log = await connection.fetchval(LOG)
    finally:
        await connection.close()
    return [
        ("tables that are swept", "MiB", sizes.get(False, 0) / MIB),
        ("tables that are dropped, a transaction", "KiB", sizes.get(True, 0) / 1024 / max(lives, 1)),
        ("write-ahead log", "MiB", log / MIB),
    ]
