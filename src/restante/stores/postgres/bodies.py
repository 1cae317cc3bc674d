"""Bodies in pieces, and everything that goes.

A body in pieces is `loose` until the commit that refers to it, and again from the commit that ends that. It
belongs to the process that writes or purges it; when that is gone, to whoever finds it. Only loose ones are
dropped, a few pieces per commit, and once that has begun nothing can refer to it any more.
"""

from collections.abc import Callable

from .database import Database
from .lane import Job
from .rows import Row, columns

PIECES = 16
"""Pieces dropped per commit."""


class Bodies:
    """Does chunk, drop and purge, in the order they came. `node` gives this process's number."""

    def __init__(self, database: Database, node: Callable[[], int]) -> None:
        self._database = database
        self._node = node

    async def run(self, jobs: list[Job]) -> None:
        """Pieces that come one after the other are written together."""
        pieces: list[Job] = []
        for job in jobs:
            if job.kind == "chunk":
                pieces.append(job)
                continue
            await self._write(pieces)
            pieces = []
            job.value = await (self._drop(*job.what) if job.kind == "drop" else self._purge(*job.what))
        await self._write(pieces)

    async def _write(self, jobs: list[Job]) -> None:
        if jobs:
            pieces: dict[Row, Row] = {job.what[:3]: job.what for job in jobs}
            values = columns(list(pieces.values()), 4)
            await self._database.rows("insert_chunks", *values, self._node(), keys=values[0], again=True)

    async def _drop(self, key: int, attempt: int) -> bool:
        """Some pieces of a loose body; False when none are left (or something refers to it)."""
        gone: int = await self._database.value("delete_pieces", key, attempt, PIECES, again=True)
        if gone == PIECES:
            return True
        await self._database.rows("delete_loose", key, attempt, again=True)
        return False

    async def _purge(self, sweeps: list[Row], forget: list[int]) -> list[tuple[int, int]]:
        """Returns the bodies that are loose from now on, still to be dropped."""
        gone = set(forget)
        kept = [sweep for sweep in sweeps if sweep[0] not in gone]
        keys = [key for key, _ in sweeps] + forget
        rows = await self._database.rows("purge", keys, *columns(kept, 2), forget, self._node(), again=True)
        return [(row[0], row[1]) for row in rows]
