"""`GET /-/events`: what went on with all of the caller's transactions, in the order in which it was
committed.

`next` is the cursor to go on with, whether or not there was anything. `Prefer: wait=N` holds an answer that
would be empty until there is something, N seconds at most. With `Accept: text/event-stream` it never ends;
the cursor is the stream's id there, so that `Last-Event-ID` goes on where it broke off.
"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from ..core.clock import SECOND
from ..core.feed import Entry
from ..core.headers import first
from ..core.preferences import preferences
from ..dialects.parameters import Parameters
from ..service.feed import documents, events_of
from .attended import Attended
from .call import Call
from .desk import Desk
from .poll import VARY, applied
from .reply import Reply, document, encode
from .stream import BEAT, HEARTBEAT, flow, lasting, wants_stream

DEFAULT_LIMIT = 50
NAMES = ("after", "limit", "tenant")


async def feed(desk: Desk, call: Call, _: str) -> Reply | None:
    """A page of entries behind `?after=`; live for whoever accepts an event stream."""
    given = Parameters(call.query, NAMES)
    tenant = given.whose(await desk.tenant(call))
    after = given.text("after")
    limit = given.number("limit", min(DEFAULT_LIMIT, desk.limits.page), least=1, most=desk.limits.page)
    if tenant is None:
        return document(await _page(desk, [], after), VARY)
    if wants_stream(call):
        last = (first(call.headers, b"last-event-id") or b"").decode("latin-1").strip()
        return await _stream(desk, call, tenant, last or after)
    wait = preferences(call.headers).wait_seconds
    if wait is None:
        entries = await desk.service.feed.entries(tenant, after, limit=limit, span=0)
        return document(await _page(desk, entries, after), VARY)
    await call.body()
    async with Attended(call, desk.service.keys) as attended:
        attended.watch()
        entries = await desk.service.feed.entries(tenant, after, limit=limit, span=wait * SECOND)
    return document(await _page(desk, entries, after), *applied(f"wait={wait}"))


async def _page(desk: Desk, entries: list[Entry], after: str | None) -> dict[str, Any]:
    events = [one for entry in entries for one in await _told(desk, entry)]
    return {"events": events, "next": entries[-1].cursor if entries else after}


async def _told(desk: Desk, entry: Entry) -> list[dict[str, Any]]:
    """An entry's events, as webhooks would tell of them; none of a transaction that is forgotten."""
    store = desk.service.store
    (transaction,) = await store.look([entry.id])
    if transaction is None:
        return []
    log = await events_of(store, entry)
    await desk.service.fill(transaction, log)
    return documents(transaction, log)


async def _stream(desk: Desk, call: Call, tenant: str, after: str | None) -> Reply | None:
    await desk.service.feed.entries(tenant, after, limit=1, span=0)  # a wrong cursor is refused at once
    await call.body()
    await flow(desk, call, [], _pieces(desk, tenant, after))
    return None


async def _pieces(desk: Desk, tenant: str, after: str | None) -> AsyncIterator[bytes]:
    """What there is, then what comes, with a beat wherever nothing has come for long."""
    service = desk.service
    while not service.waiting.ended:
        entries = await lasting(
            service, partial(service.feed.entries, tenant, after, limit=DEFAULT_LIMIT, span=HEARTBEAT)
        )
        if not entries and not service.waiting.ended:
            yield BEAT
        for entry in entries:
            after = entry.cursor
            told = await lasting(service, partial(_told, desk, entry))
            blocks = [b"event: %b\ndata: %b\n\n" % (one["type"].encode(), encode(one)) for one in told]
            if blocks:  # the cursor goes with the last of its commit: what broke off before comes again
                blocks[-1] = b"id: %b\n%b" % (after.encode(), blocks[-1])
                yield b"".join(blocks)
