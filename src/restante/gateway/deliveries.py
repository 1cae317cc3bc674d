"""Deliveries below `/-/`: what was sent to an endpoint, what came back, and sending it again."""

import msgspec

from ..dialects import webhooks as spelling
from ..service import deliveries as calls
from .call import Call
from .desk import Desk
from .endpoints import MAX_BODY, owned
from .framing import small_body
from .problems import UnknownDelivery
from .reply import Reply, document


async def list_all(desk: Desk, call: Call, id: str) -> Reply:
    """One page of an endpoint's, newest first. `next` is the cursor behind it, or null."""
    endpoint = await owned(desk, call, id)
    sought = spelling.listing(call.query, endpoint=endpoint.id, max_limit=desk.limits.page)
    more = msgspec.structs.replace(sought, limit=sought.limit + 1)
    found = await desk.service.store.deliveries(more)
    page = found[: sought.limit]
    return document(
        {
            "deliveries": [spelling.delivery(one) for one in page],
            "next": page[-1].id if len(found) > len(page) else None,
        }
    )


async def show(desk: Desk, call: Call, id: str) -> Reply:
    """One, with what came back of each attempt."""
    found = await calls.look(desk.service, await desk.tenant(call), id)
    if found is None:
        raise UnknownDelivery("There is no delivery with this id.")
    one, attempts = found
    return document({**spelling.delivery(one), "log": [spelling.attempt(attempt) for attempt in attempts]})


async def replay(desk: Desk, call: Call, id: str) -> Reply:
    """Once more, under the same id."""
    spelling.read_nothing(await small_body(call, MAX_BODY), call.query)
    found = await calls.look(desk.service, await desk.tenant(call), id)
    if found is None:
        raise UnknownDelivery("There is no delivery with this id.")
    return document(spelling.delivery(await calls.replay(desk.service, found[0])), code=202)


async def replay_all(desk: Desk, call: Call, id: str) -> Reply:
    """The same for all of an endpoint's that fit; where there are `more`, it is to be asked for again."""
    endpoint = await owned(desk, call, id)
    sought = spelling.read_replay(await small_body(call, MAX_BODY), endpoint.id)
    replayed, more = await calls.replay_all(desk.service, sought)
    return document({"replayed": replayed, "more": more}, code=202)
