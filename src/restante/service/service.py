"""What can be asked of Restante, whoever asks: a gateway, a command, a test.

Each method reads, lets the core decide, and writes; where somebody was faster it reads and decides
again (`change`). Nothing here knows how a transaction is spelled on the wire or kept on disk.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial

import msgspec

from ..core import change as changes
from ..core.errors import BodyTooLarge, StoreUnavailable, WriteUnknown
from ..core.identity import RANDOM_BYTES, mint
from ..core.machine import TERMINAL
from ..core.model import (
    Accepted,
    Change,
    Claim,
    Event,
    Query,
    Request,
    Result,
    Submission,
    Transaction,
)
from ..core.outcome import json_object
from ..core.policy import Policy
from ..core.retention import has_result
from ..ports import EVENTS, REQUEST_CHUNKS, Bell, Chance, Clock, Store, Told
from ..ports.courier import Courier
from ..ports.telemetry import SILENCE, Telemetry
from .bodies import Intake, chained, drop_body, read_body, take_request
from .changing import Changing
from .doubt import Doubt
from .draft import Draft, submission_of
from .endpoints import Endpoints
from .feed import Feed
from .fresh import Fresh
from .health import Health
from .keys import Keys
from .numbers import Numbers
from .outage import Outage
from .pace import Pace
from .pauses import Pauses
from .quotas import Quotas
from .reminder import Reminder
from .telling import tell_accepted
from .waiting import Waiting

log = logging.getLogger("restante.service")

READY_BODY = 8 * 1024
"""Requests up to this size wait for their turn in memory, larger ones in the store."""


class Service(Changing):
    """The operations. `bell` tells the runner; `accepting` is False while the process drains."""

    def __init__(
        self,
        *,
        store: Store,
        policy: Policy,
        clock: Clock,
        chance: Chance,
        bell: Bell,
        courier: Courier,
        telemetry: Telemetry = SILENCE,
    ) -> None:
        super().__init__()
        self.store = store
        self.policy = policy
        self.clock = clock
        self.chance = chance
        self.bell = bell
        self.courier = courier
        self.telemetry = telemetry
        self.accepting = True
        self.waiting = Waiting(clock)
        self.fresh = Fresh()
        self.pauses = Pauses(store=store, bell=bell)
        self.outage = Outage(clock)
        self.doubt = Doubt(store=store, outage=self.outage, bell=bell)
        self.endpoints = Endpoints(
            store=store, settings=policy.webhooks, clock=clock, chance=chance, outage=self.outage
        )
        self.keys = Keys(store=store, clock=clock, chance=chance)
        self.health = Health(store=store, clock=clock, more=self.endpoints.measures)
        self.feed = Feed(store=store, clock=clock)
        self.quotas = Quotas(store=store, policy=policy, clock=clock)
        self.pace = Pace(policy)
        self.overdue = Reminder(clock)  # wakes whoever ends overdue work
        self._numbers = Numbers(
            store=store, clock=clock, retention=policy.limits.retention, behind=self.behind
        )
        self.key_at_hand = self._numbers.at_hand  # for `start`; None: `take_body` has one

    def drain(self) -> None:
        """Accepts nothing more, and lets go of everybody who waits."""
        self.accepting = False
        self.release()

    def release(self) -> None:
        """Lets go of everybody who waits."""
        self.waiting.end()
        self.feed.end()

    # -- submit

    async def take_body(self, content: bytes, rest: AsyncIterator[bytes] | None) -> Intake:
        """A request's body: `content` alone, or followed by `rest`. Raises `BodyTooLarge`."""
        key = await self._numbers.next()
        limits = self.policy.limits
        if rest is None and len(content) <= limits.inline_body:
            if len(content) > limits.max_body:
                raise self.body_too_large()
            return Intake.small(key, content)
        return await take_request(
            self.store,
            key,
            chained(content, rest),
            limits=limits,
            too_large=self.body_too_large,
            drop=partial(self.drop_chunks, key, REQUEST_CHUNKS),
        )

    def drop_body(self, intake: Intake) -> None:
        """Forgets a body that did not become a transaction."""
        if intake.body.inline is None:
            self.drop_chunks(intake.key, REQUEST_CHUNKS)

    def drop_chunks(self, key: int, attempt: int) -> None:
        """Soon."""
        self.behind(drop_body(self.store, self.outage, key, attempt))

    def body_too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body is over the limit of {self.policy.limits.max_body} bytes (max_body).")

    def check_accepting(self, tenant: str, upstream: str, size: int = 0) -> None:
        """Raises where nothing of the tenant's, of `size`, can be accepted now, so that no large body is sent
        in vain."""
        if not self.accepting:
            raise StoreUnavailable("The gateway is shutting down.", retry_after_seconds=5)
        self.quotas.check(tenant, upstream, size)

    async def submit(self, draft: Draft) -> Accepted:
        """Stores the draft. When this returns, it is on disk and will be run.

        Raises `Refused` where it cannot be accepted; then nothing of it is left. Given up while the commit
        is being made, it may be in the store all the same.
        """
        future: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()

        def told(answers: list[Accepted | BaseException]) -> None:
            if future.done():
                return
            (answer,) = answers
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        self.start([draft], told)
        return await future

    def start(self, drafts: Sequence[Draft], told: Told) -> None:
        """The same for whoever does not wait in a task of its own, and for several at a time.

        `told` is called with what became of each: when that is on disk, or at once where all are refused.
        What is refused is no harm to the others.
        """
        started: list[Draft] = []
        submissions: list[Submission] = []
        refused: list[tuple[int, BaseException]] = []
        now = self.clock.now()
        for place, draft in enumerate(drafts):
            try:
                submissions.append(self._submission(draft, now))
                started.append(draft)
            except Exception as error:
                refused.append((place, error))
                self._ended(draft, None, error)

        def done(answers: list[Accepted | BaseException]) -> None:
            if WriteUnknown in map(type, answers):
                self.behind(self.doubt.accepted(submissions, answers, known))
            else:
                known(answers)

        def known(answers: list[Accepted | BaseException]) -> None:
            for draft, submission, answer in zip(started, submissions, answers, strict=True):
                self._ended(draft, submission, answer)
            # What can be sent is on its way; now whoever watches is told.
            tell_accepted(self.telemetry, started, answers)
            for submission, answer in zip(submissions, answers, strict=True):
                if submission.begun is not None and isinstance(answer, Accepted) and answer.begun:
                    self._applied(submission.begun)
            for place, error in refused:
                answers.insert(place, error)
            told(answers)

        if not submissions:
            known([])
            return
        try:
            self.store.offer(submissions, done)
        except Exception as error:  # ours to mend
            known([error] * len(submissions))

    def _submission(self, draft: Draft, now: int) -> Submission:
        """What is to be stored of it, and a place with the runner where one is free. Raises `Refused`."""
        self.check_accepting(draft.tenant, draft.route.upstream, draft.intake.body.size)
        if self.quotas.any:
            self.quotas.spend(draft.tenant)
        id = mint(draft.intake.key, self.chance.bytes(RANDOM_BYTES), self.store.secret)
        submission = submission_of(
            draft, id=id, now=now, limits=self.policy.limits, hashing=self.store.hashing
        )
        submission = self.endpoints.at_accept(submission)
        if not draft.envelope.delay and self.bell.reserve(draft.route.upstream, draft.tenant):
            submission = self._begun(submission)
        if self.quotas.any:
            self.quotas.enter(submission)
        return submission

    def _begun(self, submission: Submission) -> Submission:
        """One that has a place, with the mark of its first attempt, where that can be made at once: a commit
        less, and its caller's result is there the sooner."""
        mark = self.bell.begin(submission.transaction, submission.request)
        if mark is None:
            return msgspec.structs.replace(submission, claim=True)
        return msgspec.structs.replace(submission, claim=True, begun=self.endpoints.with_deliveries(mark))

    def _ended(self, draft: Draft, submission: Submission | None, answer: Accepted | BaseException) -> None:
        """Tells whoever should know of a draft that is stored or refused."""
        if submission is not None and isinstance(answer, Accepted) and not answer.replayed:
            transaction = submission.transaction
            self.overdue.set(transaction.sweep_at)
            self.endpoints.ring_for(submission.deliveries)
            if submission.claim:
                keep = submission.request if submission.request.body.size <= READY_BODY else None
                self.bell.deliver(transaction, Claim(answer.transaction, keep), begun=answer.begun)
            else:
                self.bell.ring(transaction.upstream, transaction.due_at or 0, draft.tenant)
            return
        if submission is not None and submission.claim:
            self.bell.deliver(submission.transaction, None)
        if submission is not None and self.quotas.any:
            self.quotas.withdraw(submission)
        if submission is not None and isinstance(answer, WriteUnknown):  # in case it is stored
            self.bell.ring(submission.transaction.upstream, submission.transaction.due_at or 0, draft.tenant)
        self.drop_body(draft.intake)

    # -- look and read

    async def look(self, tenant: str, id: str) -> Transaction | None:
        """The tenant's transaction with this id; somebody else's is as unknown as one that never was.
        EVERYBODY has them all."""
        (found,) = await self.store.look([id], tenant=tenant)
        return found

    async def wait(self, tenant: str, id: str, *, span: int, after: int | None = None) -> Transaction | None:
        """How it stands as soon as it is terminal or, with `after`, has an event with a greater sequence;
        at the latest after `span`, and at once while the process drains. None where it is unknown.
        """
        with self.waiting.watch(id) as watch:
            found = await self.look(tenant, id)
            if found is None:
                return None
            watch.tell(found)
            moment = self.clock.now() + span
            if await watch.until(moment, after=after) or self.waiting.ended:
                return watch.known
        return await self.look(tenant, id)

    async def find(self, query: Query) -> list[Transaction]:
        """One page of the tenant's transactions."""
        return await self.store.find(query)

    async def events(self, transactions: list[Transaction]) -> list[list[Event]]:
        """Each one's events, all of them."""
        logs = await self.store.events([transaction.key for transaction in transactions])
        for transaction, log in zip(transactions, logs, strict=True):
            page = log
            while len(page) == EVENTS:
                (page,) = await self.store.events([transaction.key], after=log[-1].sequence)
                log += page
            await self.fill(transaction, log)
        return logs

    async def some_events(self, transaction: Transaction, *, after: int, limit: int = EVENTS) -> list[Event]:
        """Up to `limit` of its events behind sequence `after`."""
        (log,) = await self.store.events([transaction.key], after=after, limit=limit)
        await self.fill(transaction, log)
        return log

    async def fill(self, transaction: Transaction, log: list[Event]) -> None:
        """Where an event's data is the upstream's answer itself, it is put in."""
        for place, event in enumerate(log):
            if event.data is None:
                result = await self.result(transaction)
                data = json_object(result, self.policy.limits) if result else None
                log[place] = msgspec.structs.replace(event, data=data or {})

    async def result(self, transaction: Transaction) -> Result | None:
        """The upstream's answer, or None where there is none (any more). Never consumes it."""
        if not has_result(transaction, self.clock.now()):
            return None
        result = self.fresh.take(transaction.key)
        if result is None:
            (result,) = await self.store.results([transaction.key])
        return result

    def read_result(self, transaction: Transaction, result: Result) -> AsyncIterator[bytes]:
        """The pieces of a result's body."""
        return read_body(self.store, self.outage, transaction.key, result.attempt, result.body)

    def read_request(self, transaction: Transaction, request: Request) -> AsyncIterator[bytes]:
        """The pieces of a request's body."""
        return read_body(self.store, self.outage, transaction.key, REQUEST_CHUNKS, request.body)

    # -- change

    async def cancel(self, tenant: str, id: str) -> Transaction | None:
        """Cancels it, or finds it cancelled; None where it is unknown. Raises `TooLate`."""
        transaction = await self.look(tenant, id)
        if transaction is None:
            return None
        route = self.policy.route(transaction.method, transaction.path)
        return await self.change(
            transaction, lambda current: changes.cancel(current, now=self.clock.now(), route=route)
        )

    async def expire(self, transaction: Transaction) -> Transaction:
        """Ends it as failed if its deadline has passed and it has not ended otherwise meanwhile."""
        route = self.policy.route(transaction.method, transaction.path)

        def decide(current: Transaction) -> Change | None:
            now = self.clock.now()
            if current.status in TERMINAL or now < current.deadline:
                return None
            return changes.expire(current, now=now, route=route)

        return await self.change(transaction, decide)
