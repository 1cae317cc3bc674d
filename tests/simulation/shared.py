"""One file under several servers, as a PostgreSQL is, with what that takes and a file has not.

The statements, the threads' work and the rows are the file's own; a claim is then a wish only, which the mark
decides, and an attempt is another's to take as soon as its lease has lapsed. What servers tell each other
comes late, or never; now and then everybody looks for themselves. Numbers are drawn from one sequence, and
what a server that is gone was handing over may be read again, as the nodes of a PostgreSQL see to.
"""

import itertools
import os
import random
from collections.abc import Callable, Mapping
from typing import Any

from restante.core.model import Wanted
from restante.core.policy import Limits
from restante.core.status import Reading
from restante.stores.queued import Queued
from restante.stores.sqlite import SQLiteStore
from restante.stores.sqlite.database import Database
from restante.stores.sqlite.memory import Memory
from restante.stores.sqlite.migrate import migrate
from restante.stores.sqlite.opening import READERS, OpenFile
from restante.stores.sqlite.worker import Group, Job
from restante.stores.sqlite.writer import Writer

from .disk import Disk, Hand
from .loop import VirtualLoop

CACHE_KIB = 1024
TOLD_SECONDS = (0.001, 0.3)
LOST = 0.3
"""Of what one server tells the others so much is never heard."""

LOOK_SECONDS = (3.75, 6.25)


class File:
    """What all servers of one file have in common."""

    def __init__(self, loop: VirtualLoop, seed: str, path: str, *, several: bool) -> None:
        self.loop = loop
        self.path = path
        self.several = several
        self.chance = random.Random(f"{seed} file")
        self.secret = random.Random(f"{seed} secret").randbytes
        self.stores: list[SharedStore] = []
        self.reading: dict[tuple[int, int], Disk] = {}  # key and token: who is handing it over
        self.numbers: itertools.count[int] | None = None
        self.tokens = itertools.count(1)
        self.lost = 0

    async def open(self, disk: Disk, *, limits: Limits) -> SQLiteStore:
        """The store of one more server, on the running process."""
        if self.several:
            return await SharedStore.open_shared(self, disk, limits=limits)
        return await SQLiteStore.open(self.path, limits=limits, threads=disk.thread, chance=self.secret)

    def connect(self, disk: Disk) -> OpenFile:
        """The connections of one more server."""
        writer = Database(self.path, cache_kib=CACHE_KIB, create=True)
        migrate(writer, self.path, self.secret)
        if not self.stores:
            writer.run("lapse_all")
        last = writer.value("last_key")
        if self.numbers is None:
            self.numbers = itertools.count(last + 1)
        memory = Memory(
            queued=Queued({tenant: count for tenant, count, _ in writer.rows("count_unfinished")}), next_key=0
        )
        memory.reserve = self.reserve  # type: ignore[method-assign]
        lock = os.open(f"{self.path}.{disk.number}", os.O_RDWR | os.O_CREAT)
        return OpenFile(
            lock=lock,
            databases=[writer, *[Database(self.path, cache_kib=CACHE_KIB) for _ in range(READERS)]],
            secret=writer.value("secret"),
            sealing=writer.value("sealing"),
            former_until=writer.value("former_until"),
            memory=memory,
            loose=[],
        )

    def reserve(self, count: int) -> range:
        assert self.numbers is not None
        (first, *_) = [next(self.numbers) for _ in range(count)]
        return range(first, first + count)

    def gone(self, disk: Disk) -> None:
        """A server has ended, in whatever way."""
        self.stores = [one for one in self.stores if one.disk is not disk]
        left = [place for place, reader in self.reading.items() if reader is disk]
        database = Database(self.path, cache_kib=CACHE_KIB) if left else None
        for key, token in left:
            del self.reading[key, token]
            assert database is not None
            database.run("settle_reading", (Reading.UNREAD.value, key, token))
        if database is not None:
            database.close()

    def wrote(self, disk: Disk, group: Group) -> None:
        """Who is handing over what."""
        for job in group:
            if job.kind == "reading" and job.error is None:
                if len(job.what) > 2:
                    self.reading.pop(job.what[:2], None)
                elif job.value is not None:
                    self.reading[job.what[0], job.value] = disk

    def tell(self, teller: "SharedStore", what: Callable[["SharedStore"], None]) -> None:
        """All others, if they hear it."""
        for store in self.stores:
            if store is teller or store.process is None:
                continue
            if self.chance.random() < LOST:
                self.lost += 1
            else:
                seconds = self.chance.uniform(*TOLD_SECONDS)
                self.loop.call_at(self.loop.time() + seconds, what, store, context=store.process.context)


class SharedStore(SQLiteStore):
    """One server's view. `told` is who listens there."""

    disk: Disk
    file: File
    process: Any = None
    told: Mapping[str, Any] | None = None

    @classmethod
    async def open_shared(cls, file: File, disk: Disk, *, limits: Limits) -> "SharedStore":
        opened = file.connect(disk)
        disk.process.made.append(opened)
        hand = Hand(disk, "restante-write", Writer(opened.databases[0], NoDisk()).run)  # type: ignore[arg-type]
        store = cls(opened, hand, limits, threads=disk.thread, first_token=0)
        store.disk, store.file, store.process = disk, file, disk.process
        file.stores.append(store)
        return store

    @property
    def shared(self) -> bool:
        return True

    async def alone(self) -> bool:
        return len(self.file.stores) == 1

    async def divide(self, wanted: Mapping[str, Wanted]) -> dict[str, int]:
        several = len(self.file.stores)
        return {upstream: one.total and max(1, one.total // several) for upstream, one in wanted.items()}

    def listen(self, **told: Any) -> None:
        self.told = told
        self._look_soon()

    def reading_token(self) -> int:
        """No two servers' are the same."""
        return next(self.file.tokens)

    def _look_soon(self) -> None:
        seconds = self.file.chance.uniform(*LOOK_SECONDS)
        self.file.loop.call_later(seconds, self._look_all)

    def _look_all(self) -> None:
        if not self._closed:
            self.hear()
            self._look_soon()

    def hear(self, *_: object) -> None:
        """It looks for itself."""
        if self.told is not None and not self._closed:
            self.told["work"](None, 0)
            self.told["changed"](None)
            self.told["pauses"]()
            self.told["post"](None, 0)
            self.told["endpoints"]()
            self.told["keys"]()

    def _settled(self, submissions: Any, job: Job) -> Any:
        self.file.tell(self, SharedStore.hear)
        return super()._settled(submissions, job)

    def _applied(self, job: Job) -> None:
        super()._applied(job)
        self.file.tell(self, SharedStore.hear)

    async def keep_endpoint(self, endpoint: Any, *, most: int) -> bool:
        kept = await super().keep_endpoint(endpoint, most=most)
        self.file.tell(self, SharedStore.hear)
        return kept


class NoDisk:
    """There is always room, and nobody removes the file."""

    def check_there(self) -> None: ...

    def full(self) -> None: ...
