"""An attempt without a task, as long as nothing is out of the ordinary.

A small request, at hand, for which an idle connection is at hand as well, takes four steps, each called by
what it waits for: the mark goes to the store, the request to the upstream, the answer to the store, and it is
over. A task, its futures and the layers between them cost more than these steps (docs/why/0024-attempts.md).

Where a step finds anything else (no connection, a lost race, a store that refuses, a large or broken answer),
what is left to do is done in a task, by the same methods as for everybody else (attempt.py).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from ..core.errors import StoreUnavailable, Unreachable, UpstreamError
from ..core.forward import target
from ..core.headers import end_to_end
from ..core.model import Body, Change, Claim, Request, Result, Transaction
from ..core.policy import ANY_ROUTE, Route, Upstream
from ..core.status import Phase
from ..ports import ReadyLine, SmallAnswer
from .attempt import Attempts, idle, unmarked

log = logging.getLogger("restante.runner")


class Owner(Protocol):
    """Who has an attempt."""

    def answered(self, attempt: "Attempt") -> None: ...

    def ended(self, attempt: "Attempt") -> None: ...


class Attempt:
    """One attempt. Its owner is told once, and not within `start`, that it has `ended`; and before, where
    that is known by then, that the upstream has `answered`.
    """

    __slots__ = (
        "_after",
        "_answer",
        "_attempts",
        "_began",
        "_line",
        "_mark",
        "_marked",
        "_over",
        "_owner",
        "_request",
        "_result",
        "_route",
        "_task",
        "_upstream",
        "claim",
    )

    _route: Route
    _upstream: Upstream
    _request: Request
    _mark: Change
    _marked: Transaction
    _began: int
    _result: Result
    _after: Transaction

    def __init__(self, attempts: Attempts, claim: Claim, owner: "Owner") -> None:
        self.claim = claim
        self._attempts = attempts
        self._owner = owner
        self._line: ReadyLine | None = None
        self._answer: SmallAnswer | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = False

    def prepare(self) -> Change | None:
        """Its mark, where it is an attempt of this kind; then a connection is kept for it until it is started
        or dropped."""
        attempts, transaction, request = self._attempts, self.claim.transaction, self.claim.request
        if request is None or request.body.inline is None or transaction.phase is not Phase.WAITING:
            return None
        if attempts.clock.now() >= transaction.deadline:
            return None
        route = attempts.policy.route(transaction.method, transaction.path) or ANY_ROUTE
        upstream = attempts.policy.upstreams[transaction.upstream]
        line = attempts.sender.at_hand(upstream, max_idle_seconds=idle(transaction, route))
        if line is None:
            return None
        self._request, self._route, self._upstream, self._line = request, route, upstream, line
        self._mark = attempts.begin(transaction, transaction.attempt + 1, route)
        self._marked = self._mark.after
        return self._mark

    def start(self, *, begun: bool = False) -> None:
        """Makes it. `begun`: it was prepared, and its mark is on disk."""
        self._step(self._send if begun else self._begin)

    def drop(self) -> None:
        """It is not made."""
        self._over = True
        self._let_go()

    def abort(self) -> None:
        """Breaks it off. Its mark, if there is one, tells the next start what was under way."""
        if self._task is not None:
            self._task.cancel()
        elif not self._over:
            self._let_go()
            self._finish()

    # -- the steps

    def _begin(self) -> None:
        attempts, transaction = self._attempts, self.claim.transaction
        if self._line is None and self.prepare() is None:
            self._go_on(attempts.run(transaction, self.claim.request))
        elif attempts.needs_no_mark(transaction):
            attempts.service.offer(self._mark, unmarked, request=self._request)
            self._send()
        else:
            attempts.service.offer(self._mark, self._told_of_mark, request=self._request)

    def _told_of_mark(self, answer: bool | BaseException) -> None:
        self._step(self._send, answer)

    def _send(self, marked: bool | BaseException = True) -> None:
        attempts, line, request = self._attempts, self._line, self._request
        if marked is not True:
            self._not_written(marked, attempts.run(self.claim.transaction, request))
            return
        assert line is not None
        sent = self._marked
        self._began = began = attempts.clock.now()
        attempts.leases.hold(sent.key, began)
        self._line = None
        try:
            answer = line.begin(
                sent.method,
                target(self._upstream, sent.path, sent.query),
                attempts.headers(sent, request, self._upstream),
                request.body.inline or b"",
                size=request.body.size,
                timeout_seconds=attempts.seconds(sent, self._upstream, began),
            )
        except Unreachable:  # closed while the mark was written; not a byte left, so another will do
            self._go_on(attempts.exchange(sent, request, self._route, self._upstream))
            return
        self._answer = answer
        answer.told = self._told_of_answer

    def _told_of_answer(self) -> None:
        self._step(self._read)

    def _read(self) -> None:
        attempts, answer, sent = self._attempts, self._answer, self._marked
        assert answer is not None
        limits = attempts.policy.limits
        try:
            body = answer.whole(min(limits.inline_body, limits.max_result))
            if body is None and not answer.at_rest:
                return
        except UpstreamError:
            body = None
        answer.told = self._answer = None
        if body is None:  # broken, or too large for here
            rest = attempts.exchange(
                sent, self._request, self._route, self._upstream, answer=answer, began=self._began
            )
            self._go_on(rest)
            return
        self._result = Result(answer.status, end_to_end(answer.headers), Body(len(body), body), sent.attempt)
        attempts.measure(sent, sent.attempt, f"{answer.status // 100}xx", self._began)
        change = attempts.answered(sent, self._result, self._route, self._upstream)
        self._after = change.after
        attempts.service.offer(change, self._told_of_end, request=self._request)
        self._owner.answered(self)

    def _told_of_end(self, answer: bool | BaseException) -> None:
        self._step(self._end, answer)

    def _end(self, settled: bool | BaseException) -> None:
        attempts, after = self._attempts, self._after
        if settled is not True:
            again = attempts.settle_answer(
                self._marked, self._result, self._route, self._upstream, self._request
            )
            self._not_written(settled, again)
            return
        if after.due_at is not None:
            attempts.service.bell.ring(after.upstream, after.due_at)
        self._finish()

    # -- within

    def _step(self, step: Callable[..., None], *what: object) -> None:
        if self._over or self._task is not None:  # broken off meanwhile
            return
        try:
            step(*what)
        except Exception as error:  # whoever called must not suffer for it
            self._go_on(_raised(error))

    def _not_written(self, why: bool | BaseException, again: Coroutine[Any, Any, object]) -> None:
        """`why` is what the store said: False where somebody was faster, or its refusal."""
        if isinstance(why, BaseException) and not isinstance(why, StoreUnavailable):
            again.close()
            again = _raised(why)
        self._go_on(again)

    def _go_on(self, work: Coroutine[Any, Any, object]) -> None:
        """What is left to do, in a task."""
        self._let_go()
        self._task = asyncio.get_running_loop().create_task(
            self._attempts.guard(self.claim.transaction, work)
        )
        self._task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("an attempt ended with an unexpected error", exc_info=task.exception())
        self._finish()

    def _let_go(self) -> None:
        """Of the connection."""
        line, answer, self._line, self._answer = self._line, self._answer, None, None
        if line is not None:
            line.close()
        if answer is not None:
            answer.told = None
            answer.close()

    def _finish(self) -> None:
        self._over = True
        self._attempts.leases.drop(self.claim.transaction.key)
        self._owner.ended(self)


async def _raised(error: BaseException) -> None:
    raise error
