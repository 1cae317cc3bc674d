"""The list, and what is searched for in it: an id, a code, a tracking id, or whatever the form says."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ..core.access import EVERYBODY
from ..core.clock import MINUTE
from ..core.errors import BadRequest
from ..core.identity import key_of
from ..core.model import Query, Transaction
from ..core.status import Status
from ..ports.dashboard import Shown
from .visit import Visit

PAGE = 50
LOOKED_AT = 100_000
"""Transactions that are looked at for a code, at a time."""

FOUND = 50

OPERATIONS = ("create", "update", "delete", "read")
NAMES = ("status", "operation", "endpoint", "tracking_id", "from", "to")

_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_CODE = re.compile(r"[0-9a-fA-F]{8}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def show(visit: Visit, _: str) -> Shown:
    asked = visit.query.get("q", "")
    if _ID.fullmatch(asked):
        return visit.go(visit.to(f"ui/transactions/{asked.lower()}"))
    if _CODE.fullmatch(asked) and "all" not in visit.query:
        return await _by_code(visit, asked.lower())
    given = {name: visit.query.get(name, "") for name in NAMES}
    if asked:
        given["tracking_id"] = asked
    if visit.tenant == EVERYBODY:
        return visit.page("tenants.html", tenants=await _tenants(visit))
    query = read(given, tenant=visit.tenant)
    after = visit.query.get("after")
    if after is not None:
        key = key_of(after, visit.store.secret)
        if key is None:
            raise BadRequest("This is no page of a list.", field="after")
        query = msgspec.structs.replace(query, after_key=key)
    found = await visit.service.find(msgspec.structs.replace(query, limit=PAGE + 1))
    page = found[:PAGE]
    return visit.page(
        "transactions.html",
        page=page,
        given=given,
        next=page[-1].id if len(found) > PAGE else None,
        after=after,
        statuses=list(Status),
        operations=OPERATIONS,
        filters={name: value for name, value in given.items() if value},
    )


def read(given: dict[str, str], *, tenant: str) -> Query:
    """What the form says; raises `BadRequest` naming the field."""
    status, operation = given["status"], given["operation"]
    if status and status not in list(Status):
        raise BadRequest(f"status must be one of {', '.join(Status)}", field="status")
    if operation and operation not in OPERATIONS:
        raise BadRequest(f"operation must be one of {', '.join(OPERATIONS)}", field="operation")
    endpoint = given["endpoint"]
    path: dict[str, Any] = {}
    if endpoint.endswith("*"):
        path["path_prefix"] = "/" + endpoint[:-1].removeprefix("/")
    elif endpoint:
        path["path"] = "/" + endpoint.removeprefix("/")
    return Query(
        tenant=tenant,
        status=Status(status) if status else None,
        operation=operation or None,
        tracking_id=given["tracking_id"] or None,
        created_from=_moment(given["from"], "from"),
        created_to=_moment(given["to"], "to", end=True),
        **path,
    )


def _moment(text: str, name: str, *, end: bool = False) -> int | None:
    """UTC, unless a zone is named; a minute is meant to its end where it is the range's."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        moment = (when - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name} must be a date and time such as 2024-11-08T11:49", field=name) from None
    return moment + MINUTE - 1 if end and moment % MINUTE == 0 else moment


async def _by_code(visit: Visit, code: str) -> Shown:
    """A stretch of the store is looked through; where nothing is found, the next one may be."""
    before = None
    if (after := visit.query.get("before")) is not None:
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            raise BadRequest("This is no place in the store.", field="before")
        before = int(after)
    found, further = await visit.store.with_code(visit.tenant, code, before=before, limit=LOOKED_AT)
    some: list[Transaction] = list(found)[:FOUND]
    if len(some) == 1 and before is None:
        return visit.go(visit.to(f"ui/transactions/{some[0].id}"))
    return visit.page(
        "code.html", sought=code.upper(), page=some, further=further, before=before, looked_at=LOOKED_AT
    )


async def _tenants(visit: Visit) -> list[tuple[str, int]]:
    return await visit.store.counted_tenants(first=0, limit=FOUND)
