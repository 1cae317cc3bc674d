"""What a webhook says, and an entry of the feed: `{"type", "timestamp", "data"}` (Standard Webhooks).

Everything in it is as it was when the event was written, so that each attempt says the same; keys and formats
are the native API's. Only an answer that is kept no longer than results is left out once it is gone.
"""

from typing import Any

import msgspec

from .change import until_text
from .endpoint import Detail
from .machine import TERMINAL
from .model import Event, Transaction
from .status import EventKind

_encode = msgspec.json.Encoder().encode

TEST = "endpoint.test"
SWITCHED_OFF = "endpoint.switched_off"


def type_of(event: Event) -> str:
    """`transaction.completed`, of what changed the status; else `transaction.info`, `transaction.delay`."""
    changed = event.kind in (EventKind.TRANSITION, EventKind.FAILURE)
    return f"transaction.{event.status if changed else event.kind}"


def content_of(
    event: Event, transaction: Transaction, *, previous: int | None, detail: Detail = Detail.FULL
) -> dict[str, Any]:
    """The payload as a document. `previous` is the number of the event that was told before this one."""
    ended = event.status in TERMINAL
    numbers = {"sequence": event.sequence, "previous_sequence": previous}
    data: dict[str, Any] = {"id": transaction.id, "status": event.status}
    if detail is Detail.FULL:
        data = {
            "id": transaction.id,
            "code": transaction.code,
            "status": event.status,
            "outcome": transaction.outcome if ended else None,
            "operation": transaction.operation,
            "trigger_endpoint": transaction.trigger_endpoint,
            "tracking_id": transaction.tracking_id,
            "tenant": transaction.tenant,
            "dialect": transaction.dialect,
            "method": transaction.method,
            "path": transaction.path,
            "query": transaction.query,
            "upstream": transaction.upstream,
            "retry_of": transaction.retry_of,
            "created_at": until_text(transaction.created_at),
            "expires_at": until_text(transaction.expires_at),
            "result": {"status": transaction.result_status} if ended and transaction.result_status else None,
            "event": event.kind,
            "message": event.message,
            "data": event.data or {},
        }
    return {
        "type": type_of(event),
        "timestamp": until_text(event.created_at),
        "data": {**data, **numbers},
    }


def payload_of(event: Event, transaction: Transaction, *, previous: int | None, detail: Detail) -> bytes:
    """The payload as it is signed and sent."""
    return _encode(content_of(event, transaction, previous=previous, detail=detail))


def switched_off_payload(endpoint: str, reason: str, *, now: int) -> bytes:
    """What a tenant's other endpoints are told when one was switched off."""
    data = {"id": endpoint, "reason": reason}
    return _encode({"type": SWITCHED_OFF, "timestamp": until_text(now), "data": data})


def test_payload(endpoint: str, *, now: int) -> bytes:
    """What the test button sends: it tells of no transaction."""
    content = {
        "type": TEST,
        "timestamp": until_text(now),
        "data": {"id": endpoint, "message": "This is a test"},
    }
    return _encode(content)
