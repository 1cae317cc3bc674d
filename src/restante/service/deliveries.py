"""Deliveries as their tenant sees them: listed, looked at, replayed, and the test of an endpoint."""

import msgspec

from ..core import delivery as core
from ..core.access import EVERYBODY
from ..core.delivery import Attempt, Delivery, Sought, State
from ..core.endpoint import Endpoint, lane_of
from ..core.errors import MoveRefused, NotNow
from ..core.payload import test_payload
from .service import Service

REPLAYED = 1000
"""Deliveries that one call replays at most; whoever wants more calls again."""

BATCH = 100
"""Of these so many in one commit."""


async def look(service: Service, tenant: str, id: str) -> tuple[Delivery, list[Attempt]] | None:
    """The tenant's delivery with this id, and its attempts. EVERYBODY has them all."""
    (found,) = await service.store.look_deliveries([id])
    if found is None or tenant not in (found.tenant, EVERYBODY):
        return None
    (attempts,) = await service.store.attempts([found.number])
    return found, attempts


async def test(service: Service, endpoint: Endpoint) -> Delivery:
    """Sends something to an endpoint now, whatever its filters; raises `NotNow` where it is off."""
    if not endpoint.active:
        raise NotNow("The endpoint is off: switch it on first.")
    now = service.clock.now()
    delivery = Delivery(
        id=service.endpoints.mint(),
        tenant=endpoint.tenant,
        endpoint=endpoint.id,
        lane=lane_of(endpoint.id, None),
        body=test_payload(endpoint.id, now=now),
        due_at=now,
        created_at=now,
    )
    await service.store.post([delivery])
    service.endpoints.pardon(delivery.lane)
    service.endpoints.ring_for([delivery])
    return delivery


async def replay(service: Service, delivery: Delivery) -> Delivery:
    """Sends what is over once more, under the same id; raises `NotNow` for what is not over."""
    try:
        progress = core.replay(delivery, now=service.clock.now())
    except MoveRefused:
        raise NotNow("The delivery is not over: it will be sent by itself.") from None
    (done,) = await service.store.settle([progress])
    if not done:
        raise NotNow("Something happened to the delivery meanwhile; look at it again.")
    service.endpoints.ring_for([progress.after])
    return progress.after


async def replay_all(service: Service, sought: Sought) -> tuple[int, bool]:
    """The same for all that fit and are over, the newest first; how many, and whether there may be more."""
    replayed = 0
    page = msgspec.structs.replace(sought, limit=BATCH)
    while replayed < REPLAYED:
        found = await service.store.deliveries(page)
        now = service.clock.now()
        over = [one for one in found if one.state in (State.DELIVERED, State.DEAD)]
        progress = [core.replay(one, now=now) for one in over]
        done = await service.store.settle(progress) if progress else []
        changed = [one.after for one, yes in zip(progress, done, strict=True) if yes]
        service.endpoints.ring_for(changed)
        replayed += len(changed)
        if len(found) < BATCH:
            return replayed, False
        page = msgspec.structs.replace(page, after=found[-1].id)
    return replayed, True
