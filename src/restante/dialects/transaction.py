"""Dialect `transaction` (seed 004): the accept answer, one transaction with its events, the list."""

from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import msgspec

from ..core.errors import BadRequest
from ..core.machine import TERMINAL
from ..core.model import Event, Query, Transaction
from ..core.status import Dialect, EventKind
from .moments import naive
from .parameters import Parameters

DEFAULT_LIMIT = 50
MAX_OFFSET = 10_000

SORTS = {"created_at:desc": False, "created_at:asc": True}
"""`_sort`: ascending or not. By creation only (docs/why/0008-lists.md)."""

FILTERS = ("created_at_gte", "created_at_lte", "status", "operation", "tracking_id", "_sort")
"""Parameters that a page's links carry on."""


class Listing(msgspec.Struct, frozen=True):
    """A list as it was asked for: the query, and the filters as they were written."""

    query: Query
    filters: tuple[tuple[str, str], ...]


def accepted(transactions: str, id: str) -> bytes:
    """The accept answer; `transactions` is the route's path to look them up at."""
    return f'{{"transaction_id":"{id}","links":[{{"path":"{_escaped(transactions)}/{id}"}}]}}'.encode()


@lru_cache(maxsize=256)
def _escaped(text: str) -> str:
    return msgspec.json.encode(text)[1:-1].decode()


def one(transaction: Transaction, events: list[Event]) -> dict[str, Any]:
    """One transaction, keys in the seed's order."""
    return {
        "created_at": naive(transaction.created_at),
        "updated_at": naive(transaction.updated_at),
        "id": transaction.id,
        "code": transaction.code,
        "operation": transaction.operation,
        "trigger_endpoint": transaction.trigger_endpoint,
        "status": transaction.status,
        "events": [event_of(event) for event in events if not _is_note(event)],
    }


def _is_note(event: Event) -> bool:
    """What was written beside a transaction after its end: here the latest event tells the outcome."""
    return event.kind is EventKind.INFO and event.status in TERMINAL


def event_of(event: Event) -> dict[str, Any]:
    """One event, keys in the seed's order."""
    return {
        "event": event.kind,
        "message": event.message,
        "data": event.data or {},
        "status": event.status,
        "created_at": naive(event.created_at),
    }


def listing(query: str, *, tenant: str, max_limit: int) -> Listing:
    """A list's parameters; raises `BadRequest` naming the one that is wrong."""
    given = Parameters(query, (*FILTERS, "_limit", "_offset"))
    sort = given.text("_sort") or "created_at:desc"
    if sort not in SORTS:
        raise BadRequest(f"_sort must be one of {', '.join(SORTS)}", field="_sort")
    return Listing(
        Query(
            tenant=tenant,
            dialect=Dialect.TRANSACTION,
            status=given.status("status"),
            operation=given.operation("operation"),
            tracking_id=given.text("tracking_id"),
            created_from=given.moment("created_at_gte"),
            created_to=given.moment("created_at_lte", end=True),
            ascending=SORTS[sort],
            limit=given.number("_limit", min(DEFAULT_LIMIT, max_limit), least=1, most=max_limit),
            offset=given.number("_offset", 0, least=0, most=MAX_OFFSET),
        ),
        tuple((name, given.given[name]) for name in FILTERS if name in given.given),
    )


def page(listed: Listing, results: list[dict[str, Any]], *, more: bool, max_limit: int) -> dict[str, Any]:
    """A page: `count` is how many are on it, links are null where there is no such page.

    Behind MAX_OFFSET the list goes on from the moment of its last row, so that who follows links sees all.
    """
    limit, offset = listed.query.limit, listed.query.offset
    following = offset + limit
    return {
        "meta": {
            "page": {"limit": limit, "offset": offset, "count": len(results), "max_limit": max_limit},
            "links": {
                "previous": _link(listed, max(0, offset - limit)) if offset else None,
                "self": _link(listed, offset),
                "next": _next(listed, following, results) if more else None,
            },
        },
        "results": results,
    }


def _next(listed: Listing, offset: int, results: list[dict[str, Any]]) -> str:
    if offset <= MAX_OFFSET:
        return _link(listed, offset)
    moment = results[-1]["created_at"]
    bound = "created_at_gte" if listed.query.ascending else "created_at_lte"
    kept = tuple((name, value) for name, value in listed.filters if name != bound)
    seen = sum(row["created_at"] == moment for row in results)
    return _link(msgspec.structs.replace(listed, filters=((bound, moment), *kept)), seen)


def _link(listed: Listing, offset: int) -> str:
    return "?" + urlencode((("_offset", offset), ("_limit", listed.query.limit), *listed.filters))
