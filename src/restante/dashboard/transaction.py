"""One transaction: where it stands and why, what happened when, what was asked and answered, who was told."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ..core import change as changes
from ..core.errors import TooLate
from ..core.machine import TERMINAL
from ..core.masking import masked
from ..core.model import Event, Transaction
from ..core.retention import expired
from ..ports.dashboard import Shown
from . import contents
from .spelling import word
from .timeline import timeline
from .visit import Visit
from .waiting import reasons

DELIVERIES = 50
"""Deliveries of one transaction that are shown."""

SMALL, SHORT = 4, 160
"""Fields, and characters, of event data that is shown on one line."""

EVENTS = 200
"""Events that are shown, the first; a transaction seldom has ten."""


class Told(msgspec.Struct, frozen=True):
    """An event as it is shown: its data masked."""

    event: Event
    data: Any
    since: int  # from the accept
    line: str  # the data as one line, where there is little of it


async def show(visit: Visit, id: str) -> Shown:
    t = await contents.look(visit, id)
    service = visit.service
    log = await service.some_events(t, after=0, limit=EVENTS)
    deliveries = await visit.store.deliveries_about(t.key, DELIVERIES)
    tries = await visit.store.attempts([one.number for one in deliveries])
    pointers = visit.policy.masks(t.method, t.path)
    reads = visit.may("read")
    return visit.page(
        "transaction.html",
        t=t,
        told=[_told(t, event, pointers) for event in log],
        more=max(t.sequence - len(log), 0),
        line=timeline(t, log, list(zip(deliveries, tries, strict=True)), now=visit.now),
        reasons=await reasons(visit, t),
        ended=t.status in TERMINAL,
        request=await contents.of_request(visit, t) if reads else None,
        result=await contents.of_result(visit, t) if reads else None,
        reads=reads,
        deliveries=deliveries,
        endpoints={one.endpoint: service.endpoints.one(one.endpoint) for one in deliveries},
        may_cancel=visit.may("operate") and can_cancel(t, visit.now),
        may_retry=visit.may("operate") and t.status in TERMINAL and not expired(t, visit.now),
        masks=bool(pointers),
    )


def _told(t: Transaction, event: Event, pointers: Sequence[str]) -> Told:
    data = masked(event.data or {}, pointers)
    small = len(data) <= SMALL and not any(isinstance(value, dict | list) for value in data.values())
    line = (
        ", ".join(f"{name.replace('_', ' ')}: {word(value)}" for name, value in data.items()) if small else ""
    )
    return Told(event, data, event.created_at - t.created_at, line if len(line) <= SHORT else "")


def can_cancel(transaction: Transaction, now: int) -> bool:
    """Whether it would be cancelled now."""
    try:
        return changes.cancel(transaction, now=now) is not None
    except TooLate:
        return False
