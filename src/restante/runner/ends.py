"""How attempts end: what is decided (core/outcome.py), told to whoever watches, and written."""

import logging
from collections.abc import Callable
from functools import partial

from ..core import change as changes
from ..core import outcome, reconcile
from ..core.clock import SECOND
from ..core.errors import MoveRefused, NoAnswerInTime, Unreachable, UpstreamError
from ..core.headers import first
from ..core.machine import TERMINAL
from ..core.model import Change, Request, Result, Transaction
from ..core.policy import ANY_ROUTE, Policy, Route, Upstream
from ..core.schedule import retry_after
from ..core.status import Outcome
from ..ports import Chance, Clock
from ..service import Service
from ..service.persistence import until_written

log = logging.getLogger("restante.runner")

TIMER_SLACK = SECOND // 20
"""A timer that was set to a deadline may go off that much before it, by the other clock."""


class Ends:
    """The part of `Attempts` that ends them."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.policy: Policy = service.policy
        self.clock: Clock = service.clock
        self._store = service.store
        self._chance: Chance = service.chance

    def begin(self, transaction: Transaction, attempt: int, route: Route) -> Change:
        """The mark."""
        return changes.begin(
            transaction,
            attempt=attempt,
            now=self.clock.now(),
            lease=self.policy.limits.lease,
            route=route,
        )

    # -- with a complete answer

    async def settle_answer(
        self, marked: Transaction, result: Result, route: Route, upstream: Upstream, request: Request
    ) -> Transaction | None:
        """Writes what came of it; see `settle`."""
        return await self.settle(
            marked, lambda current: self.answered(current, result, route, upstream), request
        )

    def answered(self, current: Transaction, result: Result, route: Route, upstream: Upstream) -> Change:
        """The upstream gave a complete answer."""
        now = self.clock.now()
        return outcome.answered(
            current,
            result,
            attempt=result.attempt,
            route=route,
            upstream=upstream,
            limits=self.policy.limits,
            now=now,
            chance=self._chance.fraction(),
            retry_after=retry_after(first(result.headers, b"retry-after"), now),
        )

    def measure(self, transaction: Transaction, attempt: int, result: str, began: int) -> None:
        """Tells how long it took."""
        now = self.clock.now()
        self.service.telemetry.attempted(transaction, attempt, result, began=began, ended=now)

    # -- without a complete answer

    async def not_reached(
        self,
        transaction: Transaction,
        route: Route,
        upstream: Upstream,
        error: Unreachable,
        request: Request | None,
        *,
        began: int,
    ) -> None:
        """No connection, so no mark either: the attempt begins and ends in one commit."""
        attempt = transaction.attempt + 1
        self.measure(transaction, attempt, Outcome.UNREACHABLE, began)

        def decide(current: Transaction) -> Change:
            begun = self.begin(current, attempt, route)
            return changes.join(begun, self._decide(begun.after, error, attempt, route, upstream))

        await self.settle(transaction, decide, request)

    async def interrupted(self, transaction: Transaction, route: Route, upstream: Upstream) -> None:
        """The attempt was under way when its process ended, or its lease lapsed."""
        self.service.telemetry.lease_lost(transaction.upstream)
        error = UpstreamError("the attempt was interrupted while the request was being executed", sent=True)
        await self.unanswered(transaction, error, route, upstream)

    async def unanswered(
        self,
        marked: Transaction,
        error: UpstreamError,
        route: Route,
        upstream: Upstream,
        request: Request | None = None,
    ) -> None:
        def decide(current: Transaction) -> Change:
            return self._decide(current, error, marked.attempt, route, upstream)

        await self.settle(marked, decide, request)

    def _decide(
        self, current: Transaction, error: UpstreamError, attempt: int, route: Route, upstream: Upstream
    ) -> Change:
        now = self.clock.now()
        slack = TIMER_SLACK if isinstance(error, NoAnswerInTime) else 0
        if now + slack >= current.deadline and current.attempt == attempt and current.status not in TERMINAL:
            return changes.expire(current, now=now, route=route)
        if error.sent and reconcile.asks(current, route):
            asked = reconcile.first_look(
                current,
                attempt=attempt,
                reason=error.message,
                route=route,
                upstream=upstream,
                limits=self.policy.limits,
                now=now,
            )
            if asked is not None:
                return asked
        return outcome.unanswered(
            current,
            error,
            attempt=attempt,
            route=route,
            upstream=upstream,
            now=now,
            chance=self._chance.fraction(),
        )

    # -- the end

    async def settle(
        self,
        transaction: Transaction,
        decide: Callable[[Transaction], Change],
        request: Request | None = None,
    ) -> Transaction | None:
        """Writes the end, however long the store takes: what is known must not be lost.

        None: the attempt was not the current one any more, and settled nothing.
        """

        def anyhow(current: Transaction) -> Change:
            if current.attempt + 1 != transaction.attempt:
                return decide(current)
            route = self.policy.route(current.method, current.path) or ANY_ROUTE
            begun = self.begin(current, transaction.attempt, route)  # harmless, and its mark was not written
            return changes.join(begun, decide(begun.after))

        try:
            settled = await until_written(
                self.service.outage,
                lambda: self.service.change(transaction, anyhow, request=request, patient=True),
                what=f"the end of {transaction.id}",
            )
        except MoveRefused as refused:
            # Ended by its deadline or somebody else's by now; or its mark was never written: run it again.
            level = logging.INFO if refused.status in TERMINAL else logging.WARNING
            log.log(level, "attempt of %s settled nothing: %s", transaction.id, refused)
            if refused.status not in TERMINAL:
                self.service.telemetry.lease_lost(transaction.upstream)
            await self.let_go(transaction, 0)
            return None
        if settled.due_at is not None:
            self.service.bell.ring(settled.upstream, settled.due_at)
        return settled

    async def release(self, transaction: Transaction) -> None:
        release = partial(self._store.release, [transaction.key])
        await until_written(self.service.outage, release, what=f"the release of {transaction.id}")

    async def let_go(self, transaction: Transaction, span: int) -> None:
        await self.release(transaction)
        self.service.bell.ring(transaction.upstream, self.clock.now() + span)
