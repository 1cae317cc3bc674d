"""Changes of transactions, on their way into the store and to whoever waits for them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ..core.errors import RestanteError, WriteUnknown
from ..core.machine import TERMINAL
from ..core.model import Change, Request, Transaction
from ..core.policy import ANY_ROUTE, Policy
from ..ports import Store
from ..ports.telemetry import Telemetry
from .credentials import stripped, without_credentials
from .doubt import Doubt
from .endpoints import Endpoints
from .feed import Feed
from .fresh import Fresh
from .pace import Pace
from .quotas import Quotas
from .waiting import Waiting

MAX_RACES = 100
"""How often a change is decided anew before it is given up as an error of ours."""


class Changing:
    """The part of the service that applies changes: `change` where somebody may be faster, `apply` one, or
    `offer` it where nobody waits in a task."""

    store: Store
    policy: Policy
    telemetry: Telemetry
    quotas: Quotas
    pace: Pace
    waiting: Waiting
    fresh: Fresh
    feed: Feed
    endpoints: Endpoints
    doubt: Doubt

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[object]] = set()

    async def change(
        self,
        transaction: Transaction,
        decide: Callable[[Transaction], Change | None],
        *,
        request: Request | None = None,
        patient: bool = False,
    ) -> Transaction:
        """Decide, apply, and again if somebody was faster. Returns how the transaction stands then.
        `request` is its request, where that is at hand. `patient`: see `apply`.

        `decide` looks at the transaction as it is now and may refuse by raising; a worker's decision
        carries its attempt's number, so that reading again never gets it around the fence.
        """
        for _ in range(MAX_RACES):
            change = decide(transaction)
            if change is None:
                return transaction
            if await self.apply(change, request=request, patient=patient):
                return change.after
            (current,) = await self.store.look([transaction.id])
            if current is None:
                raise RestanteError("the transaction is gone")
            transaction = current
        raise RestanteError(f"a change was overtaken {MAX_RACES} times")

    async def apply(self, change: Change, *, request: Request | None = None, patient: bool = False) -> bool:
        """Applies one change, unless somebody was faster, and tells whoever waits for the transaction.
        `patient`: where nobody knows whether it was done, that is found out however long it takes.

        Every change goes through here, and nothing else does.
        """
        if change.after.status in TERMINAL:
            change = await without_credentials(self.store, change, request)
        change = self.endpoints.with_deliveries(change)
        try:
            try:
                (applied,) = await self.store.apply([change])
            except WriteUnknown:
                applied = await self.doubt.applied(change, patient=patient)
        except asyncio.CancelledError:  # it may be applied all the same
            self.behind(self.doubt.told(change, self._tell))
            raise
        if applied:
            self._applied(change)
        return applied

    def offer(
        self, change: Change, told: Callable[[bool | BaseException], None], *, request: Request
    ) -> None:
        """`apply` for whoever does not wait in a task of its own; `told` gets what it would have returned or
        raised."""
        if change.after.status in TERMINAL:
            change = stripped(change, request)
        change = self.endpoints.with_deliveries(change)

        def done(answer: bool | BaseException) -> None:
            if isinstance(answer, WriteUnknown):
                self.behind(self.doubt.resolved(change, known))
            else:
                known(answer)

        def known(answer: bool | BaseException) -> None:
            try:
                if answer is True:
                    self._applied(change)
            finally:  # the change is what it is
                told(answer)

        self.store.offer_change(change, done)

    def _applied(self, change: Change) -> None:
        after = change.after
        route = self.policy.route(after.method, after.path) or ANY_ROUTE
        if self.quotas.any:
            self.quotas.changed(change)
        self.telemetry.changed(change, route)
        if after.status in TERMINAL:
            self.pace.ended(after, route)
        self._tell(change)

    def _tell(self, change: Change) -> None:
        if change.result is not None and change.after.id in self.waiting.watched:
            self.fresh.keep(change.after.key, change.result)
        self.waiting.tell(change.after)
        self.feed.told(change.after.tenant)
        self.endpoints.ring_for(change.deliveries)

    def behind(self, work: Coroutine[Any, Any, object]) -> None:
        """Does it beside whatever is going on."""
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
