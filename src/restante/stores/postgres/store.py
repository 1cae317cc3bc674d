"""The store itself: every method of `ports.Store`, each a job for one of a few lanes.

What must keep its order is in one lane: everything about a transaction that is there, everything about
bodies in pieces, everything about turns. Reads go to the server that takes the writes, so that what one
process was told is committed, every other sees.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from ...core.errors import StoreUnavailable, WriteUnknown
from ...core.machine import TERMINAL
from ...core.model import (
    Accepted,
    Change,
    Claim,
    Query,
    Ration,
    Submission,
    Transaction,
    Wanted,
)
from ...core.policy import Limits
from ...core.status import Reading as ReadingState
from ...ports import Measure, StoreHealth, Told
from ..lookups import MAX_LOOKUPS
from .accepting import Accepting
from .bodies import Bodies
from .changing import Changing
from .database import Database
from .entries import Entry, entry_of
from .figures import Figured
from .health import health_of
from .keyring import KeptKeys
from .keys import BLOCK, key_for
from .lane import BULK_GROUP, ROW, Job, Lane
from .meta import Meta
from .migrate import lacking, migrate
from .nodes import Nodes
from .outbox import Outbox
from .partitions import Partitions
from .pool import Pool
from .posting import SETTLING_PATIENCE, Posting
from .reading import Reading, lapsed
from .rows import DUE_AT, LANE, Step, read_text, step_of
from .search import find
from .settling import Settling
from .sharing import Sharing
from .signals import Signals
from .signals import Told as Listeners
from .trouble import RETRY_SECONDS, unavailable
from .turning import Turning
from .upstreams import Upstreams
from .url import read_url

CONNECTIONS = 10  # of one process at most, beside the one it listens on
SEARCHES = 2  # lists that are read at the same time

PING_SECONDS = 5.0
"""Whoever asks whether there is readiness wants to know soon."""

DROP_BYTES = 256 * 1024
"""What dropping some pieces counts for."""


class PostgresStore(Posting, Upstreams, Meta, KeptKeys, Figured):
    """One process's way to the database that all of them share. Made by `open`, ended by `close`."""

    def __init__(self, pool: Pool, limits: Limits) -> None:
        Meta.__init__(self)
        self._pool = pool
        self._lease = limits.lease
        self._piece = limits.chunk
        self._closed = False
        self._searching = asyncio.Semaphore(SEARCHES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._abandoned: set[tuple[int, int]] = set()
        database = self._database = Database(pool)
        self._partitions = Partitions(database, retention=limits.retention, history=limits.history)
        nodes = self._nodes = Nodes(
            database,
            lease=limits.lease,
            entered=self._learn,
            freed=self._freed,
            adopted=lambda body: None if self._closed else self._abandon(body),
        )
        self._signals = Signals(database, pool.target, nodes)
        self._sharing = Sharing(database, nodes)
        self._work: Callable[[str | None, int], None] = lambda upstream, moment: None
        self._outbox = Outbox(database)
        self._accepting = Accepting(database, self._accepted)
        self._changing = Changing(database, self._applied)
        settling = Settling(database, self._changing)
        waiting, away = limits.max_waiting, lambda: pool.away
        self._accept = Lane(self._accepting.run, max_waiting=waiting, away=away)
        self._settle = Lane(settling.run, max_waiting=waiting, away=away)
        bodies = Bodies(database, lambda: nodes.node)
        self._bulk = Lane(bodies.run, max_waiting=waiting, away=away, group=BULK_GROUP)
        self._post = Lane(self._outbox.run, max_waiting=waiting, away=away)
        self._turn = Lane(Turning(database, nodes).run, max_waiting=waiting, away=away)
        self._read = Lane(Reading(database).run, max_waiting=MAX_LOOKUPS, away=away)
        self._pieces = Lane(Reading(database).run, max_waiting=waiting, away=away)

    @classmethod
    async def open(cls, url: str, *, limits: Limits) -> "PostgresStore":
        """Reaches and migrates the database; raises `SettingError`."""
        target = read_url(url)
        await migrate(target)
        pool = Pool(target, size=CONNECTIONS)
        store = cls(pool, limits)
        try:
            await store._database.rows("key_hashes", again=True)
            await store._nodes.enter()
            await store._outbox.adopt()
        except BaseException as error:
            if store._nodes.node:
                await store.close()
            await pool.close()
            if isinstance(error, StoreUnavailable):
                raise await lacking(target, otherwise=str(error)) from error
            raise
        return store

    @property
    def queued(self) -> int:
        """As counted last, and what this process has written since."""
        return max(self._nodes.queued.total, 0)

    def queued_of(self, tenant: str) -> int:
        return self._nodes.queued.of(tenant)

    @property
    def commits(self) -> int:
        """Commits of submissions and changes made so far."""
        return self._accepting.commits + self._changing.commits

    def count(self, committed: Callable[[int], None]) -> None:
        self._accepting.committed = self._changing.committed = committed

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
        self._work = work
        self._signals.start(Listeners(work, changed, pauses, post, endpoints, keys))

    @property
    def shared(self) -> bool:
        return True

    async def alone(self) -> bool:
        return await self._nodes.alone()

    async def divide(self, wanted: Mapping[str, Wanted]) -> dict[str, int]:
        return await self._sharing.divide(wanted)

    async def reserve_numbers(self, count: int) -> range:
        if count > BLOCK:
            raise ValueError(f"at most {BLOCK} numbers at a time")
        return range(first := await self._database.value("reserve_numbers", again=True), first + count)

    def key(self, number: int, expires_at: int) -> int:
        return key_for(number, expires_at)

    # -- writes

    def offer(self, submissions: Sequence[Submission], told: Told) -> None:
        entries = [self._entry(submission) for submission in submissions]

        def answered(answers: list[Accepted | BaseException]) -> None:
            for entry, answer in zip(entries, answers, strict=True):
                self._let_go_unless_fresh(entry, answer)
            told(answers)

        def done(job: Job) -> None:
            answered(job.value if job.error is None else [job.error] * len(entries))

        size = sum(entry.size for entry in entries)
        try:
            self._accept.post("accept", entries, done, size=size, count=len(entries))
        except StoreUnavailable as error:
            answered([error] * len(entries))

    def _entry(self, submission: Submission) -> Entry:
        """Where it is claimed, under a number of its own: it may be given back alone."""
        if not submission.claim:
            return entry_of(submission, None)
        hold = self._nodes.number()
        self._nodes.hold((submission.transaction.key,), hold)
        return entry_of(submission, hold)

    def _let_go_unless_fresh(self, entry: Entry, answer: Accepted | BaseException) -> None:
        if entry.hold is not None and (not isinstance(answer, Accepted) or answer.replayed):
            self._nodes.let_go(entry.key)
            if isinstance(answer, WriteUnknown):
                self._nodes.doubt(entry.hold)

    async def apply(self, changes: Sequence[Change]) -> list[bool]:
        steps = [step_of(change, self._nodes.held(change.before.key)) for change in changes]
        size = sum(len(change.result.body.inline or b"") for change in changes if change.result)
        size += ROW * (len(steps) - 1)
        applied: list[bool] = await self._settle.do("apply", steps, size=size, patience=SETTLING_PATIENCE)
        return applied

    def offer_change(self, change: Change, told: Callable[[bool | BaseException], None]) -> None:
        step = step_of(change, self._nodes.held(change.before.key))

        def done(job: Job) -> None:
            told(job.value[0] if job.error is None else job.error)

        size = change.result.body.size if change.result else 0
        try:
            self._settle.post("apply", [step], done, size=size, patience=SETTLING_PATIENCE)
        except StoreUnavailable as error:
            told(error)

    def reading_token(self) -> int:
        return self._nodes.number()

    async def reserve_reading(self, key: int, token: int | None = None) -> int | None:
        token = self.reading_token() if token is None else token

        def undo(reserved: bool) -> None:
            if reserved:
                self._nodes.doubt(token)

        what = (key, token, ReadingState.RESERVED.value)
        reserved = await self._settle.do("reading", what, patience=SETTLING_PATIENCE, undo=undo)
        return token if reserved else None

    async def settle_reading(self, key: int, token: int, after: ReadingState) -> bool:
        what = (key, token, after.value)
        settled: bool = await self._settle.do("reading", what, patience=SETTLING_PATIENCE)
        return settled

    async def renew(self, keys: Sequence[int], until: int) -> None:
        await self._settle.do("renew", (list(keys), until), patience=SETTLING_PATIENCE)

    async def release(self, keys: Sequence[int]) -> None:
        await self._give_back(self._let_go(keys))

    async def tidy(self, now: int) -> None:
        await self._partitions.tidy(now)

    async def purge(self, results_of: Sequence[Transaction], forget: Sequence[Transaction]) -> None:
        sweeps = [(transaction.key, transaction.sweep_at) for transaction in results_of]
        keys = [transaction.key for transaction in forget]
        for body in await self._bulk.do("purge", (sweeps, keys), size=DROP_BYTES):
            await self.drop_chunks(*body)

    async def ping(self) -> None:
        if self._database.condition.full:  # a probe needs no room
            raise StoreUnavailable("The database's disk is full.", retry_after_seconds=RETRY_SECONDS)
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._settle.do("probe", None)
        except TimeoutError as error:
            raise unavailable(error) from None

    async def write_chunk(self, key: int, attempt: int, position: int, data: bytes) -> None:
        await self._bulk.do("chunk", (key, attempt, position, data), size=len(data))

    async def drop_chunks(self, key: int, attempt: int) -> None:
        await asyncio.shield(self._abandon((key, attempt)))  # once begun, it goes on to the end

    # -- reads

    async def read_chunk(self, key: int, attempt: int, position: int) -> bytes | None:
        found: bytes | None = await self._pieces.do("chunks", (key, attempt, position), size=self._piece)
        return found

    async def claim(
        self, upstream: str, limit: int, now: int, *, ration: Ration | None = None, paused: bool = False
    ) -> list[Claim]:
        def undo(claims: list[Claim] | None) -> None:
            self._give_up([claim.transaction.key for claim in claims or ()])

        what = (upstream, limit, now, ration, paused)
        claimed: list[Claim] = await self._turn.do("claim", what, undo=undo)
        return claimed

    async def next_due(self, upstream: str, now: int) -> int | None:
        moment: int | None = await self._turn.do("next_due", (upstream, now))
        return moment

    async def lapsed(self, now: int, limit: int) -> list[Transaction]:
        for body in list(self._abandoned) if not self._tasks else []:  # what could not be dropped before
            self._abandon(body)
        return await lapsed(self._database, now, limit)

    async def next_lapse(self, until: int) -> int | None:
        moment: int | None = await self._database.value("next_lapse", until, again=True)
        return moment

    async def keeps_from_before(self, moment: int) -> bool:
        kept: bool = await self._database.value("keeps_from_before", moment, again=True)
        return kept

    async def find(self, query: Query) -> list[Transaction]:
        async with self._searching:
            return await find(self._database, query)

    async def health(self, now: int) -> StoreHealth:
        measures = (await health_of(self._database)).measures
        room = Measure("disks_full", self._database.condition.full, 0)
        return StoreHealth((*measures, *await self._partitions.measures(now), room))

    # -- the end

    async def close(self) -> None:
        """Does what is waiting, gives back what is held. What is asked afterwards is refused."""
        if self._closed:
            return
        self._closed = True
        for lane in (self._accept, self._settle, self._post, self._bulk, self._read, self._pieces):
            await lane.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._turn.close()
        await self._nodes.leave()
        await self._signals.stop()
        await self._pool.close()

    # -- in between

    def _accepted(self, entry: Entry) -> None:
        """After its commit."""
        transaction = entry.submission.transaction
        self._posted(entry.submission.deliveries)
        if entry.submission.begun is not None:
            self._posted(entry.submission.begun.deliveries)
        if transaction.status not in TERMINAL:
            self._nodes.queued.add(transaction.tenant)
            if not entry.submission.claim and transaction.due_at is not None:
                self._signals.work(transaction.upstream, transaction.due_at)

    def _applied(self, step: Step) -> None:
        """After its commit."""
        if step.finishes:
            self._nodes.queued.end(step.tenant)
        if not step.holds:
            self._nodes.let_go(step.key)
        self._signals.changed(step.id)
        for row in step.deliveries:
            self._signals.post(read_text(row[LANE]), row[DUE_AT])

    def _freed(self, upstream: str) -> None:
        self._work(upstream, 0)
        self._signals.work(upstream, 0)

    def _let_go(self, keys: Iterable[int]) -> list[tuple[int, int]]:
        found = [(key, self._nodes.let_go(key)) for key in keys]
        return [(key, hold) for key, hold in found if hold is not None]

    def _give_up(self, keys: Iterable[int]) -> None:
        """Nobody takes what was acquired: others may have it."""
        self._later(self._give_back(self._let_go(keys)))

    async def _give_back(self, pairs: list[tuple[int, int]]) -> None:
        """Other processes, or this one, may have these. What cannot be given back now is so later."""
        if pairs:
            try:
                await self._turn.do("release", pairs, patience=SETTLING_PATIENCE)
            except StoreUnavailable:
                self._nodes.owe(pairs)

    def _abandon(self, body: tuple[int, int]) -> "asyncio.Task[None]":
        return self._later(self._drop(body))

    async def _drop(self, body: tuple[int, int]) -> None:
        self._abandoned.add(body)
        while await self._bulk.do("drop", body, size=DROP_BYTES, patience=SETTLING_PATIENCE):
            pass
        self._abandoned.discard(body)

    def _later(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits is told; what is left is done with the next sweep or beat
