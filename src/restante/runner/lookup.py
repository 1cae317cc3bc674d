"""One look-up: what became of a request whose outcome is unknown (core/reconcile.py has the rules).

It needs no mark and no lease: a GET does no harm, and only what still waits for a look-up is settled by it.
"""

from ..core import reconcile
from ..core.clock import SECOND
from ..core.errors import AnswerTooLarge, MoveRefused, UpstreamError
from ..core.model import Change, Request, Transaction
from ..core.policy import Lookup, Route, Upstream
from ..ports import Sender
from ..service import Service

MAX_ANSWER = 1024 * 1024
"""The largest answer of a look-up, in bytes."""


class Lookups:
    """Asks upstreams; `decide` functions are made for whoever writes them."""

    def __init__(self, *, service: Service, sender: Sender) -> None:
        self._service = service
        self._sender = sender

    async def ask(
        self, transaction: Transaction, request: Request | None, route: Route, upstream: Upstream
    ) -> "Verdict":
        """Makes the look-up that is due. Whatever comes of it is in the verdict."""
        lookup = route.lookup
        if lookup is None or not reconcile.asks(transaction, route):
            return Verdict(self._service, transaction, route, upstream, reason="")
        if request is None:
            (request,) = await self._service.store.requests([transaction.key])
        if request is None:
            raise MoveRefused(transaction.status, "look up", "its request is gone")
        (log,) = await self._service.events([transaction])
        verdict = Verdict(
            self._service, transaction, route, upstream, number=reconcile.number_of(log), lookup=lookup
        )
        try:
            verdict.status, verdict.body = await self._get(transaction, request, lookup, upstream)
        except UpstreamError as error:
            verdict.reason = error.message
        return verdict

    async def _get(
        self, transaction: Transaction, request: Request, lookup: Lookup, upstream: Upstream
    ) -> tuple[int, bytes]:
        left = max(transaction.deadline - self._service.clock.now(), SECOND // 1000)
        line = await self._sender.connect(
            upstream,
            max_idle_seconds=None,
            timeout_seconds=min(upstream.connect_timeout, left) / SECOND,
        )
        answer = await line.send(
            "GET",
            reconcile.target_of(transaction, lookup, upstream),
            reconcile.headers_of(request.headers, upstream, transaction),
            b"",
            size=0,
            timeout_seconds=min(upstream.timeout, left) / SECOND,
        )
        try:
            body = bytearray()
            async for piece in answer.body():
                body += piece
                if len(body) > MAX_ANSWER:
                    raise AnswerTooLarge(f"its answer is over {MAX_ANSWER} bytes", sent=True)
            return answer.status, bytes(body)
        finally:
            answer.close()


class Verdict:
    """What a look-up told; `decide` makes the change of it, as often as it is asked."""

    def __init__(
        self,
        service: Service,
        transaction: Transaction,
        route: Route,
        upstream: Upstream,
        *,
        number: int = 1,
        lookup: Lookup | None = None,
        reason: str = "",
    ) -> None:
        self._service = service
        self._attempt = transaction.attempt
        self._route = route
        self._upstream = upstream
        self._number = number
        self._lookup = lookup
        self.reason = reason
        self.status = 0
        self.body = b""

    def decide(self, current: Transaction) -> Change:
        now = self._service.clock.now()
        if self._lookup is None:  # the configuration is another one than when it was interrupted
            return reconcile.failed(
                current,
                attempt=self._attempt,
                reason="there is no look-up for it any more",
                now=now,
                route=self._route,
            )
        chance = self._service.chance.fraction()
        if not self.status:
            return reconcile.unclear(
                current,
                attempt=self._attempt,
                number=self._number,
                reason=self.reason,
                route=self._route,
                upstream=self._upstream,
                now=now,
                chance=chance,
            )
        return reconcile.answered(
            current,
            attempt=self._attempt,
            number=self._number,
            status=self.status,
            body=self.body,
            lookup=self._lookup,
            route=self._route,
            upstream=self._upstream,
            limits=self._service.policy.limits,
            now=now,
            chance=chance,
        )
