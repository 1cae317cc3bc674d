"""`GET /-/store`: how the store is. It is everybody's, no tenant's."""

from ..dialects.moments import zulu
from .call import Call
from .desk import Desk
from .reply import Reply, document


async def show(desk: Desk, call: Call, _: str) -> Reply:
    """What is queued, the store's measures of the last minute, and what this process knows by itself;
    `alarms` names those past their limit."""
    await desk.tenant(call)
    health = desk.service.health
    measures = (await health.fresh()).measures
    return document(
        {
            "queued": desk.service.store.queued,
            "seen_at": zulu(health.seen_at),
            "alarms": [measure.name for measure in measures if measure.alarming],
            "measures": {
                measure.name: {"value": measure.value, "limit": measure.limit} for measure in measures
            },
        }
    )
