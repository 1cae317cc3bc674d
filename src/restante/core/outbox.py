"""Which deliveries an event makes: what is decided when it is written.

The endpoints are those that this process knows at that moment; one that was made on another server counts
here as soon as that was heard (docs/why/0013-outbox.md).
"""

from collections.abc import Callable, Sequence

import msgspec

from .delivery import Delivery
from .endpoint import Endpoint, callbacks_id, lane_of
from .machine import TERMINAL
from .model import Change, Event, Transaction

MintID = Callable[[], str]


class Errand(msgspec.Struct, frozen=True):
    """A delivery to be made now, and what it tells of; that is None past its history."""

    delivery: Delivery
    transaction: Transaction | None = None
    event: Event | None = None
    previous: int | None = None  # the event before, of the same transaction, for the same endpoint


def deliveries_of(
    change: Change, endpoints: Sequence[Endpoint], *, mint: MintID, now: int
) -> tuple[Delivery, ...]:
    """What a change's events make."""
    return tuple(
        delivery
        for event in change.events
        for delivery in of_event(event, change.after, endpoints, mint=mint, now=now)
    )


def of_event(
    event: Event, transaction: Transaction, endpoints: Sequence[Endpoint], *, mint: MintID, now: int
) -> list[Delivery]:
    """What one event makes: one for each endpoint that wants it, and for each of the request's own URLs."""
    found = [
        _delivery(event, transaction, endpoint.id, None, id=mint(), now=now)
        for endpoint in endpoints
        if wants(endpoint, event, transaction)
    ]
    if transaction.callbacks and event.status in TERMINAL:
        id = callbacks_id(transaction.tenant)
        if not any(endpoint.id == id and not endpoint.active for endpoint in endpoints):
            found += [
                _delivery(event, transaction, id, url, id=mint(), now=now) for url in transaction.callbacks
            ]
    return found


def wants(endpoint: Endpoint, event: Event, transaction: Transaction) -> bool:
    """Whether the endpoint is to be told of the event."""
    return (
        endpoint.active
        and not endpoint.of_callbacks
        and endpoint.filters.fit(
            status=event.status,
            operation=transaction.operation,
            trigger_endpoint=transaction.trigger_endpoint,
        )
    )


def _delivery(
    event: Event, transaction: Transaction, endpoint: str, url: str | None, *, id: str, now: int
) -> Delivery:
    return Delivery(
        id=id,
        tenant=transaction.tenant,
        endpoint=endpoint,
        lane=lane_of(endpoint, url),
        url=url,
        key=transaction.key,
        transaction=transaction.id,
        sequence=event.sequence,
        due_at=now,
        created_at=now,
    )
