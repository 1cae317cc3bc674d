"""The native API under `/-/`: a table of paths, a short handler each. Its errors are problems (RFC 9457)."""

from collections.abc import Awaitable, Callable

import msgspec

from ..core.errors import BadRequest, NoRoute, StoreUnavailable
from ..core.identity import key_of
from ..core.machine import TERMINAL
from ..core.model import Query
from ..dialects import native as spelling
from ..dialects.task import wait_seconds
from ..ports import EVENTS
from . import actions, deliveries, describing, endpoints, feed, health, keys, metrics, upstreams
from .access import admit, need_below
from .call import Call
from .desk import Desk
from .handover import give
from .people import people
from .poll import after_of, number_of, usual
from .problems import MethodNotAllowed, NoResult, NotFinished
from .reply import INERT, Reply, document, word
from .rooms import Place
from .shown import look as _look
from .shown import shown as _shown
from .stream import stream, wants_stream

Handler = Callable[[Desk, Call, str], Awaitable[Reply | None]]


async def native(desk: Desk, call: Call, place: Place) -> Reply | None:
    """Finds the handler for what follows `/-/`."""
    if desk.dashboard is not None and desk.dashboard.serves(place.rest):
        return await people(desk, call, place.rest)
    segments = place.rest.split("/")
    for pattern, methods in TABLE:
        if len(pattern) == len(segments) and all(
            expected in ("{id}", segment) for expected, segment in zip(pattern, segments, strict=True)
        ):
            method = "GET" if call.method == "HEAD" else call.method
            handler = methods.get(method)
            if handler is None:
                raise MethodNotAllowed(", ".join([*methods, "HEAD"] if "GET" in methods else methods))
            need = need_below(pattern, method)
            if need.scopes:
                desk.pages.check_host(call)
                if pattern[:2] != ("transactions", "{id}"):
                    desk.pages.check_place(call)
            await admit(desk, call, need)
            return await handler(desk, call, "".join(segments[1:2]))
    raise NoRoute("There is nothing at this path.")


async def list_all(desk: Desk, call: Call, _: str) -> Reply:
    """One page, newest first. `next` is the cursor behind it, or null."""
    tenant = await desk.tenant(call)
    listing = spelling.listing(call.query, tenant=tenant, max_limit=desk.limits.page)
    query = listing.query
    if listing.after is not None:
        key = key_of(listing.after, desk.service.store.secret)
        if key is None:
            raise BadRequest("after must be the next of an earlier page", field="after")
        query = msgspec.structs.replace(query, after_key=key)
    found = [] if listing.foreign else await desk.service.find(_one_more(query))
    page, now, paused = found[: query.limit], desk.clock.now(), desk.service.pauses.names
    return document(
        {
            "transactions": [spelling.one(transaction, now=now, paused=paused) for transaction in page],
            "next": page[-1].id if len(found) > len(page) else None,
        }
    )


async def show(desk: Desk, call: Call, id: str) -> Reply:
    transaction = await _look(desk, call, id)
    return await _shown(desk, transaction)


async def events(desk: Desk, call: Call, id: str) -> Reply | None:
    """A page of them, behind `?after=`; live for whoever accepts an event stream."""
    if wants_stream(call):
        return await stream(desk, call, await desk.tenant(call), id)
    meaning = f"a number from 1 to {EVENTS}"
    limit = number_of(call, "limit", meaning)
    if limit is None:
        limit = EVENTS
    elif not 0 < limit <= EVENTS:
        raise BadRequest(f"limit must be {meaning}, given once", field="limit")
    transaction = await _look(desk, call, id)
    log = await desk.service.some_events(transaction, after=after_of(call) or 0, limit=limit)
    more = len(log) == limit and log[-1].sequence < transaction.sequence
    content = {"events": list(map(spelling.event_of, log)), "next": log[-1].sequence if more else None}
    return document(content, word(transaction.status))


async def result(desk: Desk, call: Call, id: str) -> None:
    """The stored answer, verbatim. Reading it here never consumes it, and a browser runs nothing of it."""
    transaction = await _look(desk, call, id)
    if transaction.status not in TERMINAL:
        wait = wait_seconds(transaction, desk.clock.now(), usual=usual(desk, transaction))
        raise NotFinished("The transaction is still running.", retry_after_seconds=wait)
    kept = await desk.service.result(transaction)
    if kept is None:
        raise NoResult("The upstream gave no answer, or it is no longer kept.")
    call.applied = (*call.applied, *INERT)
    await give(desk, call, transaction, kept)


async def cancel(desk: Desk, call: Call, id: str) -> Reply:
    transaction = await _look(desk, call, id)
    return await _shown(desk, await desk.service.cancel(transaction.tenant, id) or transaction)


async def healthz(desk: Desk, call: Call, _: str) -> Reply:
    """The process lives."""
    return document({"status": "ok"})


async def readyz(desk: Desk, call: Call, _: str) -> Reply:
    """Requests would be accepted: the store takes writes, and nobody is shutting down."""
    if not desk.service.accepting:
        raise StoreUnavailable("The gateway is shutting down.", retry_after_seconds=5)
    await desk.service.store.ping()
    return document({"status": "ok"})


TABLE: tuple[tuple[tuple[str, ...], dict[str, Handler]], ...] = (
    (("transactions",), {"GET": list_all}),
    (("transactions", "{id}"), {"GET": show}),
    (("transactions", "{id}", "result"), {"GET": result}),
    (("transactions", "{id}", "events"), {"GET": events, "POST": actions.report}),
    (("transactions", "{id}", "cancel"), {"POST": cancel}),
    (("transactions", "{id}", "retry"), {"POST": actions.retry}),
    (("transactions", "{id}", "resolve"), {"POST": actions.resolve}),
    (("events",), {"GET": feed.feed}),
    (("endpoints",), {"GET": endpoints.list_all, "POST": endpoints.create}),
    (
        ("endpoints", "{id}"),
        {"GET": endpoints.show, "PATCH": endpoints.change, "DELETE": endpoints.remove},
    ),
    (("endpoints", "{id}", "rotate"), {"POST": endpoints.rotate}),
    (("endpoints", "{id}", "secret"), {"GET": endpoints.secret}),
    (("endpoints", "{id}", "test"), {"POST": endpoints.test}),
    (("endpoints", "{id}", "deliveries"), {"GET": deliveries.list_all}),
    (("endpoints", "{id}", "replay"), {"POST": deliveries.replay_all}),
    (("deliveries", "{id}"), {"GET": deliveries.show}),
    (("deliveries", "{id}", "replay"), {"POST": deliveries.replay}),
    (("keys",), {"GET": keys.list_all, "POST": keys.create}),
    (("keys", "{id}", "revoke"), {"POST": keys.revoke}),
    (("upstreams",), {"GET": upstreams.list_all}),
    (("upstreams", "{id}", "pause"), {"POST": upstreams.pause}),
    (("upstreams", "{id}", "resume"), {"POST": upstreams.resume}),
    (("store",), {"GET": health.show}),
    (("metrics",), {"GET": metrics.show}),
    (("healthz",), {"GET": healthz}),
    (("readyz",), {"GET": readyz}),
    (("openapi.json",), {"GET": describing.openapi}),
    (("docs",), {"GET": describing.docs}),
)
"""Path behind `/-/`, by segment; method; handler. HEAD is answered wherever GET is. Who may: access.py."""


def _one_more(query: Query) -> Query:
    return msgspec.structs.replace(query, limit=query.limit + 1)
