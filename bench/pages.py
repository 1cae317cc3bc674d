"""What a write costs in a file that has grown, whatever else the machine has to do.

    python bench/pages.py [FILE ...] [--finished 1000000] [--rows 16000] [--group 32]

Accepts, begins and ends by the writer alone, in groups of so many, in an empty file and in one that was
filled (`bench/fill.py`), or in the files that are given. Of each: pages that were looked up, how many of them
had to be read because they were not at hand, bytes written to the log and to the file, and time of the
processor. What came in is removed again.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import apsw
import fill
import store as lives

from restante.core import change
from restante.core.clock import SECOND
from restante.core.model import Body, Result
from restante.stores.sqlite.database import Database
from restante.stores.sqlite.disk import Disk
from restante.stores.sqlite.opening import WRITER_CACHE_KIB
from restante.stores.sqlite.rows import Entry, Step, entry_of, step_of
from restante.stores.sqlite.turnstile import OPEN
from restante.stores.sqlite.worker import Job
from restante.stores.sqlite.writer import Writer

RESULT = Result(200, lives.HEADERS, Body(len(lives.BODY), lives.BODY), 1)


class File:
    """One, and what is counted of it."""

    def __init__(self, path: str) -> None:
        self._database = Database(path, cache_kib=WRITER_CACHE_KIB)
        self._lock = os.open(path, os.O_RDWR)
        self._writer = Writer(self._database, Disk(self._lock, self._database, reserve=0))
        self.secret: bytes = self._database.value("secret")
        self.last_key: int = self._database.value("last_key")

    def close(self) -> None:
        self._database.close()
        os.close(self._lock)

    def write(self, kind: str, groups: Sequence[Sequence[Entry] | Sequence[Step]]) -> tuple[float, ...]:
        """For each row: pages looked up, pages read, bytes, microseconds of the processor."""
        before = self._counted()
        for group in groups:
            job = Job(kind, list(group), 0)
            self._writer.run([job], OPEN)
            if job.error is not None:
                raise SystemExit(f"a group was not written: {job.error}")
        count = sum(map(len, groups))
        return tuple((after - start) / count for after, start in zip(self._counted(), before, strict=True))

    def _counted(self) -> tuple[float, ...]:
        status = self._database.connection.status
        hits, misses = (
            status(kind)[0] for kind in (apsw.SQLITE_DBSTATUS_CACHE_HIT, apsw.SQLITE_DBSTATUS_CACHE_MISS)
        )
        lines = Path("/proc/self/io").read_text().splitlines()
        written = next(int(line.partition(" ")[2]) for line in lines if line.startswith("wchar"))
        return hits + misses, misses, written, time.process_time() * 1e6


def measure(path: str, arguments: argparse.Namespace) -> None:
    file = File(path)
    try:
        first = file.last_key + 1
        submissions = [lives.submission(file, key) for key in range(first, first + arguments.rows)]  # type: ignore[arg-type]
        begun = [
            change.begin(one.transaction, attempt=1, now=one.transaction.created_at, lease=15 * SECOND)
            for one in submissions
        ]
        ended = [
            change.complete(one.after, attempt=1, now=one.after.created_at, result=RESULT, data={})
            for one in begun
        ]
        for name, kind, rows in (
            ("accept", "accept", [entry_of(one) for one in submissions]),
            ("begin", "apply", [step_of(one) for one in begun]),
            ("end", "apply", [step_of(one) for one in ended]),
        ):
            size = arguments.group
            groups = [rows[start : start + size] for start in range(0, len(rows), size)]
            looked, read, written, spent = file.write(kind, groups)
            print(
                f"{Path(path).name:24} {name:8} {looked:6.2f} pages looked up  {read:6.3f} read  "
                f"{written:6.0f} bytes written  {spent:5.1f} µs",
                flush=True,
            )
    finally:
        file.close()
        asyncio.run(fill.cut(f"sqlite:///{path}", file.last_key))


def main(arguments: argparse.Namespace) -> None:
    if arguments.files:
        for path in arguments.files:
            measure(path, arguments)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for name, finished in (("empty", 0), (f"{arguments.finished:,} finished", arguments.finished)):
            asyncio.run(fill.fill(f"sqlite:///{folder}/{name}", finished=finished))
            measure(f"{folder}/{name}", arguments)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=16_000)
    parser.add_argument("--group", type=int, default=32)
    parser.add_argument("--folder", default=".")
    main(parser.parse_args())
