"""Webhooks: where they go and how that is, what was sent, and what did not arrive."""

import msgspec

from ..core.access import EVERYBODY
from ..core.delivery import Delivery, Sought, State
from ..core.endpoint import Endpoint
from ..core.masking import masked_text
from ..ports.dashboard import Shown
from ..service import deliveries as calls
from .visit import Unknown, Visit

PAGE = 50
DEAD = 50
"""Dead letters of one endpoint that are listed."""

MAX_ANSWER = 1024


class Health(msgspec.Struct, frozen=True):
    """An endpoint, its last deliveries, the newest first, and the dead ones among all it has, up to DEAD."""

    endpoint: Endpoint
    last: list[Delivery]
    dead: int

    @property
    def state(self) -> tuple[str, str]:
        """A word, and the name of its looks."""
        if not self.endpoint.active:
            return "off", "cancelled"
        if self.endpoint.failing_since is not None:
            return "failing", "failed"
        over = next((one.state for one in self.last if one.state in (State.DELIVERED, State.DEAD)), None)
        if over is State.DEAD:
            return "failing", "failed"
        if over is None:
            return ("trying", "processing") if self.last else ("unused", "pending")
        return "well", "completed"


async def endpoints(visit: Visit, _: str) -> Shown:
    if visit.tenant == EVERYBODY:
        return visit.page("tenants.html", tenants=await visit.store.counted_tenants(first=0, limit=PAGE))
    found = [await _health(visit, one) for one in visit.service.endpoints.of(visit.tenant)]
    return visit.page("endpoints.html", found=found, most=DEAD)


async def _health(visit: Visit, endpoint: Endpoint) -> Health:
    last = await visit.store.deliveries(Sought(endpoint=endpoint.id, limit=10))
    dead = await visit.store.deliveries(Sought(endpoint=endpoint.id, state=State.DEAD, limit=DEAD))
    return Health(endpoint, last, len(dead))


async def endpoint(visit: Visit, id: str) -> Shown:
    """One page of its deliveries."""
    one = owned(visit, id)
    state = visit.query.get("state", "")
    sought = Sought(
        endpoint=one.id,
        state=State(state) if state in list(State) else None,
        limit=PAGE + 1,
        after=visit.query.get("after"),
    )
    found = await visit.store.deliveries(sought)
    page = found[:PAGE]
    return visit.page(
        "endpoint.html",
        health=await _health(visit, one),
        page=page,
        next=page[-1].id if len(found) > PAGE else None,
        state=state,
        states=list(State),
    )


async def dead(visit: Visit, _: str) -> Shown:
    """What was given up, of all of the tenant's endpoints."""
    if visit.tenant == EVERYBODY:
        return visit.page("tenants.html", tenants=await visit.store.counted_tenants(first=0, limit=PAGE))
    found = []
    for one in visit.service.endpoints.of(visit.tenant):
        letters = await visit.store.deliveries(Sought(endpoint=one.id, state=State.DEAD, limit=DEAD))
        if letters:
            found.append((one, letters))
    return visit.page("dead.html", found=found, most=DEAD)


async def delivery(visit: Visit, id: str) -> Shown:
    """One, with what came back of each attempt."""
    found = await calls.look(visit.service, visit.own, id)
    if found is None:
        raise Unknown("There is no delivery with this id.")
    one, tries = found
    answers = [masked_text(attempt.answer.decode("utf-8", "replace")[:MAX_ANSWER]) for attempt in tries]
    return visit.page(
        "delivery.html",
        one=one,
        tries=list(zip(tries, answers, strict=True)),
        endpoint=visit.service.endpoints.one(one.endpoint),
        spared_until=visit.service.endpoints.spared_until(one.lane) if one.state is State.WAITING else 0,
        may_replay=visit.may("operate") and one.state in (State.DELIVERED, State.DEAD),
    )


def owned(visit: Visit, id: str) -> Endpoint:
    """The visitor's endpoint; raises `Unknown`."""
    found = visit.service.endpoints.owned(visit.own, id)
    if found is None:
        raise Unknown("There is no endpoint with this id.")
    return found
