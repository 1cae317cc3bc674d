"""One attempt, from a claimed transaction to its settlement.

    connection in hand → durable mark → first byte → complete answer → result, event and status in one commit

The order is the promise: without a mark nothing was sent, so it is always run again; with one, and
without a complete answer, it may have been, and the route says what then (core/outcome.py).
"""

import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from ..core.clock import SECOND
from ..core.errors import (
    AnswerTooLarge,
    MoveRefused,
    OutOfHandles,
    StoreUnavailable,
    Unreachable,
    Unreadable,
    UpstreamError,
)
from ..core.forward import attempt_headers, events_headers, target
from ..core.headers import end_to_end
from ..core.model import Headers, Request, Result, Transaction
from ..core.outcome import harmless, of_error, repeatable
from ..core.policy import ANY_ROUTE, Route, Upstream
from ..core.status import Phase
from ..core.token import events_token
from ..ports import Answer, Line, Sender
from ..service import Service
from ..service.bodies import keep_body
from ..service.persistence import until_written
from .ends import Ends
from .leases import Leases
from .lookup import Lookups

log = logging.getLogger("restante.runner")

MAX_IDLE_SECONDS = 2.0
"""A request that must not be repeated goes out on a connection that is new or was idle no longer."""


class Attempts(Ends):
    """Makes attempts at the upstreams of `policy`."""

    def __init__(
        self,
        *,
        service: Service,
        sender: Sender,
        leases: Leases,
    ) -> None:
        super().__init__(service)
        self.sender = sender
        self.leases = leases
        self._lookups = Lookups(service=service, sender=sender)

    async def guard(self, transaction: Transaction, work: Coroutine[Any, Any, object]) -> None:
        """Does what belongs to an attempt. Whatever happens, the hold on the transaction ends."""
        try:
            await work
        except MoveRefused as refused:
            # Cancelled before its turn, ended by its deadline, or its lease went to somebody else.
            log.info("transaction %s was left alone: %s", transaction.id, refused)
            await self.release(transaction)
        except StoreUnavailable as error:
            self.service.outage.met(error, f"transaction {transaction.id}")
            await self.let_go(transaction, self.service.outage.rest)
        except Unreadable:
            log.error("transaction %s: what is kept of it cannot be read", transaction.id)
            await self.let_go(transaction, self.policy.limits.lease)
        except Exception:
            # Ours to mend; until then its lease lapses and it is treated as interrupted.
            log.exception("transaction %s: the attempt broke", transaction.id)
            await self.let_go(transaction, self.policy.limits.lease)
        finally:
            self.leases.drop(transaction.key)

    async def run(self, transaction: Transaction, request: Request | None) -> None:
        """Makes one attempt and settles it."""
        route = self.policy.route(transaction.method, transaction.path) or ANY_ROUTE
        upstream = self.policy.upstreams[transaction.upstream]
        if self.clock.now() >= transaction.deadline:
            await self.service.expire(transaction)
            return
        if transaction.phase is Phase.SENDING:
            await self.interrupted(transaction, route, upstream)
            return
        if transaction.phase is Phase.LOOKING:
            verdict = await self._lookups.ask(transaction, request, route, upstream)
            await self.settle(transaction, verdict.decide)
            return
        if transaction.phase is Phase.DEFERRED:
            raise MoveRefused(transaction.status, "begin", "the upstream will report its end")
        try:
            if request is None:
                (request,) = await self._store.requests([transaction.key])
        except Unreadable:
            error = Unreachable("nothing was sent: the stored request cannot be read")
            await self.not_reached(transaction, route, upstream, error, None, began=self.clock.now())
            return
        if request is None:
            raise MoveRefused(transaction.status, "begin", "its request is gone")
        began = self.clock.now()
        try:
            line = await self._connect(transaction, upstream, max_idle_seconds=idle(transaction, route))
        except OutOfHandles as error:  # no try of the upstream's: it is made as soon as it can be
            log.warning("transaction %s waits: %s", transaction.id, error.message)
            await self.let_go(transaction, SECOND)
            return
        except Unreachable as error:
            await self.not_reached(transaction, route, upstream, error, request, began=began)
            return
        try:
            marked = await self._mark(transaction, route, request)
        except BaseException:
            line.close()
            raise
        await self.exchange(marked, request, route, upstream, line=line)

    # -- before the first byte

    async def _connect(
        self, transaction: Transaction, upstream: Upstream, *, max_idle_seconds: float | None
    ) -> Line:
        left = max(transaction.deadline - self.clock.now(), SECOND // 1000)
        return await self.sender.connect(
            upstream,
            max_idle_seconds=max_idle_seconds,
            timeout_seconds=min(upstream.connect_timeout, left) / SECOND,
        )

    async def _mark(self, transaction: Transaction, route: Route, request: Request) -> Transaction:
        """Writes "about to be sent" and waits until it is on disk, unless sending is harmless (and no
        report about it can come before it is)."""
        attempt = transaction.attempt + 1
        change = self.begin(transaction, attempt, route)
        if self.needs_no_mark(transaction):
            self.service.offer(change, unmarked, request=request)
            marked = change.after
        else:
            marked = await self.service.change(
                transaction, lambda current: self.begin(current, attempt, route), patient=True
            )
        self.leases.hold(marked.key, self.clock.now())
        return marked

    def needs_no_mark(self, transaction: Transaction) -> bool:
        """Whether it may be sent before its mark is on disk."""
        return harmless(transaction) and self.policy.events_url is None

    # -- on the wire

    async def exchange(
        self,
        marked: Transaction,
        request: Request,
        route: Route,
        upstream: Upstream,
        *,
        line: Line | None = None,
        answer: Answer | None = None,
        began: int | None = None,
    ) -> None:
        """From the first byte on a `line` (None: on another one), or from an `answer` that has begun."""
        attempt = marked.attempt
        began = began or self.clock.now()
        try:
            answer = answer or await self._sent(marked, request, upstream, line)
            try:
                result = await self._receive(marked, answer)
            finally:
                answer.close()
        except UpstreamError as error:
            self.measure(marked, attempt, of_error(error), began)
            await self.unanswered(marked, error, route, upstream, request)
            return
        self.measure(marked, attempt, f"{result.status // 100}xx", began)
        settled = await self.settle_answer(marked, result, route, upstream, request)
        if result.body.inline is None and (settled is None or settled.result_status is None):
            self.service.drop_chunks(marked.key, attempt)

    async def _sent(
        self, marked: Transaction, request: Request, upstream: Upstream, line: Line | None
    ) -> Answer:
        if line is not None:
            with suppress(Unreachable):  # closed while the mark was written: not a byte left, another will do
                return await self._send(marked, request, upstream, line)
        line = await self._connect(marked, upstream, max_idle_seconds=0.0)
        return await self._send(marked, request, upstream, line)

    def headers(self, marked: Transaction, request: Request, upstream: Upstream) -> Headers:
        """Of the request as it goes out."""
        return attempt_headers(
            request.headers,
            upstream,
            marked,
            attempt=marked.attempt,
            events=self._events(marked),
        )

    def seconds(self, marked: Transaction, upstream: Upstream, now: int) -> float:
        """How long it may take, from now."""
        left = max(marked.deadline - now, SECOND // 1000)
        return min(upstream.timeout, left) / SECOND

    async def _send(self, marked: Transaction, request: Request, upstream: Upstream, line: Line) -> Answer:
        body: bytes | AsyncIterator[bytes] = (
            request.body.inline
            if request.body.inline is not None
            else self.service.read_request(marked, request)
        )
        try:
            return await line.send(
                marked.method,
                target(upstream, marked.path, marked.query),
                self.headers(marked, request, upstream),
                body,
                size=request.body.size,
                timeout_seconds=self.seconds(marked, upstream, self.clock.now()),
            )
        except (StoreUnavailable, Unreadable):
            raise UpstreamError("the stored request could not be read to its end", sent=True) from None

    def _events(self, marked: Transaction) -> Headers:
        origin = self.policy.events_url
        if origin is None:
            return ()
        token = events_token(self._store.secret, marked.id, marked.attempt)
        return events_headers(origin, marked.id, token)

    async def _receive(self, marked: Transaction, answer: Answer) -> Result:
        limits = self.policy.limits

        def too_large() -> AnswerTooLarge:
            return AnswerTooLarge(
                f"the upstream's answer is over the limit of {limits.max_result} bytes (max_result) "
                "and was not kept",
                sent=True,
            )

        if answer.size is not None and answer.size > limits.max_result:
            raise too_large()
        body = await keep_body(
            answer.body(),
            write=lambda position, data: self._write_chunk(marked, position, data),
            drop=partial(self.service.drop_chunks, marked.key, marked.attempt),
            limits=limits,
            maximum=limits.max_result,
            too_large=too_large,
        )
        return Result(answer.status, end_to_end(answer.headers), body, marked.attempt)

    async def _write_chunk(self, marked: Transaction, position: int, data: bytes) -> None:
        """Stores a piece of the answer; while the store takes none, the upstream is kept waiting."""
        upstream = self.policy.upstreams[marked.upstream]
        try:
            await until_written(
                self.service.outage,
                lambda: self._store.write_chunk(marked.key, marked.attempt, position, data),
                what=f"the answer to {marked.id}",
                until=marked.updated_at + upstream.timeout,
            )
        except StoreUnavailable:
            raise UpstreamError("the upstream's answer could not be stored", sent=True) from None


def idle(transaction: Transaction, route: Route) -> float | None:
    """Seconds that its connection may have been idle; None: any time."""
    return None if repeatable(transaction, route) else MAX_IDLE_SECONDS


def unmarked(answer: bool | BaseException) -> None:
    """For whom the mark need not be on disk."""
    if isinstance(answer, BaseException):
        level = logging.DEBUG if isinstance(answer, StoreUnavailable) else logging.WARNING
        log.log(level, "the mark of a harmless attempt was not written: %s", answer)
