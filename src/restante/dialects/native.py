"""The native API's spelling: every public field, times in RFC 3339 with `Z`, lists with a cursor."""

from collections.abc import Set
from typing import Any

import msgspec

from ..core.machine import TERMINAL
from ..core.model import Event, Query, Transaction
from ..core.retention import has_result
from ..core.status import Phase, Reading
from .moments import zulu
from .parameters import Parameters

DEFAULT_LIMIT = 50

NAMES = (
    "status",
    "operation",
    "trigger_endpoint",
    "tracking_id",
    "tenant",
    "created_from",
    "created_to",
    "limit",
    "after",
)
"""The list's parameters. Others are refused: a misspelt filter must not look like one that matched all."""


class Listing(msgspec.Struct, frozen=True):
    """A list as it was asked for. `after` is the cursor, `foreign` a tenant that is out of reach."""

    query: Query
    after: str | None
    foreign: bool


def one(transaction: Transaction, *, now: int, paused: Set[str]) -> dict[str, Any]:
    """A transaction without its events. `paused` are the upstreams that are."""
    return {
        "id": transaction.id,
        "code": transaction.code,
        "status": transaction.status,
        "outcome": transaction.outcome,
        "operation": transaction.operation,
        "trigger_endpoint": transaction.trigger_endpoint,
        "tracking_id": transaction.tracking_id,
        "tenant": transaction.tenant,
        "dialect": transaction.dialect,
        "method": transaction.method,
        "path": transaction.path,
        "query": transaction.query,
        "upstream": transaction.upstream,
        "priority": transaction.priority,
        "attempt": transaction.attempt,
        "retry_of": transaction.retry_of,
        "sequence": transaction.sequence,
        "created_at": zulu(transaction.created_at),
        "updated_at": zulu(transaction.updated_at),
        "due_at": None if transaction.due_at is None else zulu(transaction.due_at),
        "waiting": _waiting(transaction, paused),
        "deadline": zulu(transaction.deadline),
        "expires_at": zulu(transaction.expires_at),
        "result": _result(transaction, now),
    }


def full(transaction: Transaction, events: list[Event], *, now: int, paused: Set[str]) -> dict[str, Any]:
    """A transaction with its events."""
    return {**one(transaction, now=now, paused=paused), "events": [event_of(event) for event in events]}


def event_of(event: Event) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "event": event.kind,
        "message": event.message,
        "data": event.data or {},
        "status": event.status,
        "created_at": zulu(event.created_at),
    }


def listing(query: str, *, tenant: str, max_limit: int) -> Listing:
    """A list's parameters; raises `BadRequest` naming the one that is wrong."""
    given = Parameters(query, NAMES)
    whose = given.whose(tenant)
    endpoint = given.text("trigger_endpoint")
    return Listing(
        Query(
            tenant=whose or tenant,
            status=given.status("status"),
            operation=given.operation("operation"),
            path=None if endpoint is None else "/" + endpoint.removeprefix("/"),
            tracking_id=given.text("tracking_id"),
            created_from=given.moment("created_from"),
            created_to=given.moment("created_to", end=True),
            limit=given.number("limit", min(DEFAULT_LIMIT, max_limit), least=1, most=max_limit),
        ),
        given.text("after"),
        whose is None,
    )


def _waiting(transaction: Transaction, paused: Set[str]) -> str | None:
    """Why its turn does not come, where that is not a matter of time."""
    turn = transaction.status not in TERMINAL and transaction.phase in (Phase.WAITING, Phase.LOOKING)
    return "the upstream is paused" if turn and transaction.upstream in paused else None


def _result(transaction: Transaction, now: int) -> dict[str, Any] | None:
    """The upstream's answer: its code, whether it is still kept, whether an error was already read."""
    if transaction.result_status is None:
        return None
    return {
        "status": transaction.result_status,
        "kept": has_result(transaction, now),
        "read": transaction.reading is Reading.READ,
    }
