"""A store that was restored from a copy: what waits in it may have been sent since the copy was made.

Nobody but the upstreams knows. So everything that is due by now gets the mark of an attempt, as if the
server had been killed while sending it: what its route says about interrupted attempts then decides. What is
due only later was sent by nobody. That an upstream was paused when the copy was made says nothing of what was
sent after it; neither do the settings of today, so it is all that the store has something for.
"""

from collections.abc import Callable

from ..config import Settings
from ..core import change
from ..core.errors import SettingError
from ..core.model import Change, Transaction
from ..core.status import Phase
from ..outbound import SystemChance, SystemClock
from ..ports import Clock, Store
from ..service.endpoints import Endpoints
from ..service.outage import Outage
from .sealing import seal_store
from .store import open_store

BATCH = 2000
"""Transactions that are marked in one commit."""

MESSAGE = "Restored from a copy: this may have been sent since the copy was made"


async def doubt_restored(settings: Settings) -> int:
    """Marks what waits in the store of `settings`; how many these were.

    Raises `SettingError` where a server is at work on it: what that sends meanwhile would be marked, or not.
    """
    clock, chance = SystemClock(), SystemChance()
    store = await open_store(settings.store, limits=settings.policy.limits)
    try:
        store = await seal_store(store, settings, clock)
        if not await store.alone():
            raise SettingError(
                "store", "a server is at work on it, or was a moment ago; stop all servers first"
            )
        policy = settings.policy
        endpoints = Endpoints(
            store=store, settings=policy.webhooks, clock=clock, chance=chance, outage=Outage(clock)
        )
        await endpoints.look()
        marked = await doubt(store, clock=clock, telling=endpoints.with_deliveries)
        if not await store.alone():
            raise SettingError(
                "store", "a server was started on it meanwhile; stop it, restore the copy and begin again"
            )
        return marked
    finally:
        await store.close()


async def doubt(
    store: Store,
    *,
    clock: Clock,
    telling: Callable[[Change], Change] = lambda change: change,
) -> int:
    """Marks whatever is due and was not being sent. `telling` adds the webhooks for it."""
    marked, now = 0, clock.now()
    for upstream in await store.loads():
        # What is marked stays held, and is not met again.
        while claims := await store.claim(upstream, BATCH, now, paused=True):
            waiting = [claim.transaction for claim in claims if claim.transaction.phase is Phase.WAITING]
            marked += sum(await store.apply([telling(_doubted(transaction, now)) for transaction in waiting]))
    return marked


def _doubted(transaction: Transaction, now: int) -> Change:
    begun = change.begin(transaction, attempt=transaction.attempt + 1, now=now, lease=0)
    return change.join(begun, change.inform(begun.after, now=now, message=MESSAGE, data={}))
