"""The store itself: every method of `ports.Store`, each a job for one of five threads.

What is written is spelled as rows here, on the caller's side; the threads only move rows.
"""

import asyncio
import itertools
import logging
import os
from collections.abc import Callable, Mapping, Sequence

from ...core.errors import KeyReused, RestanteError, StoreUnavailable
from ...core.idempotency import plain
from ...core.model import (
    Accepted,
    Change,
    Claim,
    Load,
    Query,
    Ration,
    Submission,
    Transaction,
    Wanted,
)
from ...core.policy import Limits
from ...core.status import Reading
from ...ports import NUMBERS_GOOD, StoreHealth, Told
from ..lookups import MAX_LOOKUPS
from .accepting import FRESH, REUSED
from .apart import Apart, Child
from .disk import Disk
from .figured import Figured
from .keyring import KeptKeys
from .opening import READERS, OpenFile, cut_log, open_file
from .outbox import OutboxReader
from .posting import SETTLING_PATIENCE, Posting
from .reader import Reader
from .rows import entry_of, read_transaction, step_of
from .search import Search, Stored
from .thread import Run, Thread
from .turns import Turns
from .worker import ROW, Hand, Job, Worker, tell
from .writer import Writer

log = logging.getLogger("restante.stores")

TOKEN_BYTES = 6
"""From which the number of a process's first reservation is drawn."""

Threads = Callable[[str, Run], Hand]
"""Makes, of a name and of what is to be done with a group, who does it."""

DROP_BYTES = 256 * 1024
"""What dropping some pieces of a body counts for, beside pieces being written."""


class SQLiteStore(Posting, KeptKeys, Figured):
    """One SQLite file, one server. Made by `open`, ended by `close`."""

    def __init__(
        self, opened: OpenFile, writer: Hand, limits: Limits, *, threads: Threads, first_token: int
    ) -> None:
        self._opened = opened
        memory = self._memory = opened.memory
        read, turn, search, outbox = opened.databases[-READERS:]
        self._closed = False
        self._tokens = itertools.count(first_token)
        self._tasks: set[asyncio.Task[None]] = set()
        self._abandoned: set[tuple[int, int]] = set()
        self._piece = limits.chunk
        self._reserve = limits.reserve
        self.secret = opened.secret
        self.hashing = plain(until=opened.former_until).followed_by(opened.secret)
        waiting = limits.max_waiting
        self._write = Worker(writer, max_waiting=waiting)
        self._read = Worker(threads("restante-read", Reader(read).run), max_waiting=MAX_LOOKUPS)
        self._turn = Worker(threads("restante-turns", Turns(turn, memory).run), max_waiting=waiting)
        self._search = Worker(threads("restante-search", Search(search).run), max_waiting=waiting)
        self._outbox = Worker(threads("restante-outbox", OutboxReader(outbox).run), max_waiting=waiting)

    @classmethod
    async def open(
        cls,
        path: str,
        *,
        limits: Limits,
        apart: bool = False,
        vfs: str | None = None,
        threads: Threads = Thread,
        chance: Callable[[int], bytes] = os.urandom,
    ) -> "SQLiteStore":
        """Opens or creates the file at `path`; raises `SettingError`.

        `apart`: what is written is written by a process of its own. `vfs` is for tests that break disks,
        `threads` for those that decide when each group is done. A new file's secret is drawn from `chance`.
        """
        child = Child() if apart else None
        try:
            opened = await asyncio.to_thread(open_file, path, vfs=vfs, chance=chance)
        except BaseException:
            if child is not None:
                child.drop()
            raise
        if child is None:
            writing = opened.databases[0]
            disk = Disk(opened.lock, writing, reserve=limits.reserve)
            hand = threads("restante-write", Writer(writing, disk).run)
        else:
            hand = await _apart(child, opened, limits)
        first = int.from_bytes(chance(TOKEN_BYTES))  # others than those of the processes before
        store = cls(opened, hand, limits, threads=threads, first_token=first)
        for body in opened.loose:
            store._drop_later(body)
        return store

    @property
    def sealing(self) -> bytes | None:
        return self._opened.sealing

    @property
    def queued(self) -> int:
        return self._memory.queued.total

    def queued_of(self, tenant: str) -> int:
        return self._memory.queued.of(tenant)

    @property
    def commits(self) -> int:
        """Groups that were given to the writer so far: each is one commit, or shares one with others."""
        return self._write.groups

    def count(self, committed: Callable[[int], None]) -> None:
        self._write.committed = committed

    async def reserve_numbers(self, count: int) -> range:
        return self._memory.reserve(count)

    def key(self, number: int, expires_at: int) -> int:
        return number

    # -- writes

    def offer(self, submissions: Sequence[Submission], told: Told) -> None:
        entries = [entry_of(submission) for submission in submissions]
        self._memory.hold([one.transaction.key for one in submissions if one.claim])

        def done(job: Job) -> None:
            told(self._settled(submissions, job))

        size = sum([entry.size for entry in entries])
        try:
            self._write.post("accept", entries, done, size=size, count=len(entries))
        except StoreUnavailable as error:
            told(self._refused(submissions, error))

    def _settled(self, submissions: Sequence[Submission], job: Job) -> list[Accepted | BaseException]:
        """After the commit: what became a transaction is queued, the others are not held."""
        if job.error is not None:
            return self._refused(submissions, job.error)
        answers: list[Accepted | BaseException] = []
        queued = self._memory.queued
        for submission, answer in zip(submissions, job.value, strict=True):
            if answer is FRESH:
                queued.add(submission.transaction.tenant)
                answers.append(Accepted(submission.transaction, begun=submission.begun is not None))
                continue
            self._let_go(submission)
            if answer is REUSED:
                answers.append(KeyReused("This idempotency key was used for a different request."))
            elif isinstance(answer, str):
                answers.append(RestanteError(answer))
            else:
                answers.append(Accepted(read_transaction(answer), replayed=True))
        return answers

    def _refused(
        self, submissions: Sequence[Submission], error: BaseException
    ) -> list[Accepted | BaseException]:
        for submission in submissions:
            self._let_go(submission)
        return [error] * len(submissions)

    def _let_go(self, submission: Submission) -> None:
        if submission.claim:
            self._memory.let_go((submission.transaction.key,))

    async def apply(self, changes: Sequence[Change]) -> list[bool]:
        steps = [step_of(change) for change in changes]
        size = sum(len(change.result.body.inline or b"") for change in changes if change.result)
        size += ROW * (len(steps) - 1)
        (answer,) = await self._write.do(
            "apply", [steps], size=size, patience=SETTLING_PATIENCE, told=self._applied
        )
        if isinstance(answer, str):
            raise RestanteError(answer)
        applied: list[bool] = answer
        return applied

    def offer_change(self, change: Change, told: Callable[[bool | BaseException], None]) -> None:
        size = change.result.body.size if change.result else 0
        steps = [step_of(change)]
        try:
            self._write.add("apply", steps, told, self._offered, size=size, patience=SETTLING_PATIENCE)
        except StoreUnavailable as error:
            told(error)

    def _offered(self, job: Job) -> None:
        self._applied(job)
        answers = job.value if job.error is None else [job.error] * len(job.each)
        for told, answer in zip(job.each, answers, strict=True):
            if isinstance(answer, list):
                (answer,) = answer
            elif isinstance(answer, str):
                answer = RestanteError(answer)
            tell(job.kind, told, answer)

    def _applied(self, job: Job) -> None:
        """After the commit: what is over is not queued any more, what is not being sent is not held."""
        for steps, answer in zip(job.what, job.value or (), strict=job.error is None):
            if isinstance(answer, str):
                continue
            for step, applied in zip(steps, answer, strict=True):
                if applied:
                    if step.finishes:
                        self._memory.queued.end(step.tenant)
                    if not step.holds:
                        self._memory.let_go((step.key,))

    def reading_token(self) -> int:
        return next(self._tokens)

    async def reserve_reading(self, key: int, token: int | None = None) -> int | None:
        what = (key, self.reading_token() if token is None else token)
        reserved: int | None = await self._write.do("reading", what, patience=SETTLING_PATIENCE)
        return reserved

    async def settle_reading(self, key: int, token: int, after: Reading) -> bool:
        what = (key, token, after.value)
        settled: bool = await self._write.do("reading", what, patience=SETTLING_PATIENCE)
        return settled

    async def renew(self, keys: Sequence[int], until: int) -> None:
        await self._write.do("renew", (list(keys), until), patience=SETTLING_PATIENCE)

    async def release(self, keys: Sequence[int]) -> None:
        self._memory.let_go(keys)

    async def tidy(self, now: int) -> None:
        """Nothing: all that has ended is told by `lapsed`."""

    async def purge(self, results_of: Sequence[Transaction], forget: Sequence[Transaction]) -> None:
        sweeps = [(transaction.key, transaction.sweep_at) for transaction in results_of]
        keys = [transaction.key for transaction in forget]
        for body in await self._write.do("purge", (sweeps, keys)):
            await self.drop_chunks(*body)

    async def mark_sealing(self, mark: bytes) -> None:
        self._opened.sealing, until = await self._write.do("mark", mark)
        self.hashing = plain(until=until).followed_by(self.secret)

    async def scrub(self) -> None:
        """The file holds no trace of it (`secure_delete`); the log is put into the file, and cut."""
        if not await asyncio.to_thread(cut_log, self._opened.databases[-1].connection.filename):
            log.warning("the log beside the file is in use, and still holds what was removed from it")

    async def ping(self) -> None:
        await self._write.do("probe", None)

    async def write_chunk(self, key: int, attempt: int, position: int, data: bytes) -> None:
        await self._write.do("chunk", (key, attempt, position, data), size=len(data), bulk=True)

    async def drop_chunks(self, key: int, attempt: int) -> None:
        await asyncio.shield(self._drop_later((key, attempt)))  # once begun, it goes on to the end

    # -- reads

    async def read_chunk(self, key: int, attempt: int, position: int) -> bytes | None:
        found: list[bytes | None] = await self._read.do(
            "chunks", [(key, attempt, position)], size=self._piece
        )
        return found[0]

    async def claim(
        self, upstream: str, limit: int, now: int, *, ration: Ration | None = None, paused: bool = False
    ) -> list[Claim]:
        def undo(claims: list[Claim] | None) -> None:
            self._memory.let_go(claim.transaction.key for claim in claims or ())

        what = (upstream, limit, now, ration, paused)
        claimed: list[Claim] = await self._turn.do("claim", what, undo=undo)
        return claimed

    async def next_due(self, upstream: str, now: int) -> int | None:
        moment: int | None = await self._turn.do("next_due", (upstream, now))
        return moment

    async def lapsed(self, now: int, limit: int) -> list[Transaction]:
        for body in list(self._abandoned) if not self._tasks else []:  # what could not be dropped before
            self._drop_later(body)
        found: list[Transaction] = await self._turn.do("lapsed", (now, limit))
        return found

    async def next_lapse(self, until: int) -> int | None:
        moment: int | None = await self._turn.do("next_lapse", (until,))
        return moment

    async def keeps_from_before(self, moment: int) -> bool:
        oldest: int | None = await self._turn.do("oldest", ())
        return oldest is not None and oldest - NUMBERS_GOOD < moment

    async def find(self, query: Query) -> list[Transaction]:
        found: list[Transaction] = await self._search.do("find", query)
        return found

    async def pause(self, upstream: str) -> None:
        await self._write.do("pause", ("pause", upstream))

    async def resume(self, upstream: str) -> None:
        await self._write.do("pause", ("resume", upstream))

    async def paused(self) -> frozenset[str]:
        found: frozenset[str] = await self._turn.do("paused", ())
        return found

    @property
    def shared(self) -> bool:
        return False

    async def alone(self) -> bool:
        return True

    async def divide(self, wanted: Mapping[str, Wanted]) -> dict[str, int]:
        return {upstream: one.total for upstream, one in wanted.items()}

    async def loads(self) -> dict[str, Load]:
        found: dict[str, Load] = await self._search.do("loads", None)
        return found

    async def stored(self, after: int, limit: int) -> Stored:
        found: Stored = await self._search.do("stored", (after, limit))
        return found

    async def health(self, now: int) -> StoreHealth:
        found: list[StoreHealth] = await self._read.do("health", [self._reserve])
        return found[0]

    def listen(
        self,
        *,
        work: Callable[[str | None, int], None],
        changed: Callable[[str | None], None],
        pauses: Callable[[], None],
        post: Callable[[str | None, int], None],
        endpoints: Callable[[], None],
        keys: Callable[[], None],
    ) -> None:
        """There is nobody to listen to: one file has one server."""

    # -- the end

    async def close(self) -> None:
        """Does what is waiting, then lets go of the file. What is asked afterwards is refused."""
        if self._closed:
            return
        self._closed = True
        for worker in (self._write, self._read, self._turn, self._search, self._outbox):
            await worker.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._opened.close)

    def _drop_later(self, body: tuple[int, int]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(self._drop(body))
        self._tasks.add(task)
        task.add_done_callback(self._dropped)
        return task

    async def _drop(self, body: tuple[int, int]) -> None:
        self._abandoned.add(body)
        while await self._write.do("drop", body, size=DROP_BYTES, bulk=True, patience=SETTLING_PATIENCE):
            pass
        self._abandoned.discard(body)

    def _dropped(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits is told; what is left is dropped with the next sweep


async def _apart(child: Child, opened: OpenFile, limits: Limits) -> Apart:
    """The child writes from now on; the connection that prepared the file is closed."""
    path = opened.databases[0].connection.filename
    opened.databases.pop(0).close()
    try:
        return await Apart.start(child, path=path, reserve=limits.reserve, lock=opened.lock)
    except BaseException:
        opened.close()
        raise
