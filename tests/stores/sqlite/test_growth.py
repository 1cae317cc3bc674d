"""What comes and what ends is written at the ends of the trees: its cost does not grow with the file."""

from pathlib import Path

import apsw

from restante.core.policy import Limits
from restante.ports import Store
from restante.stores.sqlite import SQLiteStore
from restante.stores.sqlite.database import Database
from restante.stores.sqlite.disk import Disk
from restante.stores.sqlite.rows import entry_of
from restante.stores.sqlite.turnstile import OPEN
from restante.stores.sqlite.worker import Job
from restante.stores.sqlite.writer import Writer

from ..samples import a_submission

GROUP = 50
SMALL_CACHE_KIB = 256
"""A few pages of each tree, and far less than the file."""


async def pages_read(path: Path, count: int) -> tuple[float, int]:
    """For each of the last of so many accepts in groups; and how many pages the file has."""
    store: Store = await SQLiteStore.open(str(path), limits=Limits())
    groups = [
        [entry_of(await a_submission(store, body=bytes(500))) for _ in range(GROUP)]
        for _ in range(count // GROUP)
    ]
    await store.close()
    database = Database(str(path), cache_kib=SMALL_CACHE_KIB)
    with path.open("rb") as lock:
        writer = Writer(database, Disk(lock.fileno(), database, reserve=0))
        for group in groups:
            before = misses(database)
            writer.run([Job("accept", group, 0)], OPEN)
        found = (misses(database) - before) / GROUP
    pages: int = database.connection.execute("PRAGMA page_count").get
    database.close()
    return found, pages


def misses(database: Database) -> int:
    return database.connection.status(apsw.SQLITE_DBSTATUS_CACHE_MISS)[0]


async def test_an_accept_reads_no_more_pages_in_a_file_of_ten_times_the_size(tmp_path: Path) -> None:
    few, small = await pages_read(tmp_path / "few.db", 500)
    many, large = await pages_read(tmp_path / "many.db", 5000)
    assert large > 7 * small > 7 * SMALL_CACHE_KIB // 4
    assert many <= few + 0.1
