"""A transaction's events, live: `text/event-stream` as browsers and others read it (WHATWG HTML §9.2).

An event is written when the change that made it has been applied, in the process that applied it; between
events nothing is asked of the store. A stream that broke off goes on where `Last-Event-ID` says.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from ..core.clock import SECOND
from ..core.errors import BadRequest, StoreUnavailable
from ..core.headers import first
from ..core.machine import TERMINAL
from ..core.model import Event
from ..dialects import native as spelling
from ..service import Service
from ..service.doubt import LONGEST
from ..service.persistence import until_written
from ..service.waiting import Watch
from .attended import Attended
from .call import Call
from .desk import Desk
from .poll import MAX_DIGITS, after_of
from .problems import TooManyStreams, UnknownTransaction
from .reply import JSON, NO_STORE, Reply, encode, word
from .shown import masks

Read = TypeVar("Read")

HEARTBEAT = 15 * SECOND
"""How long a stream is silent at most; proxies and clients take a longer silence for a dead connection."""

PAGE = 100
"""Events that a stream reads and writes at once."""

STREAM = b"text/event-stream"
BEAT = b":\n\n"
HEAD = [
    (b"content-type", STREAM),
    NO_STORE,
    (b"x-accel-buffering", b"no"),  # a proxy in front must pass each event on as it comes
]


def wants_stream(call: Call) -> bool:
    """Whether `Accept` names the media type (a `*/*` does not), and not JSON rather."""
    liked = {STREAM: 0.0, JSON[1]: 0.0}
    for name, value in call.headers:
        if name == b"accept":
            for entry in value.lower().split(b","):
                media, *parameters = [part.strip() for part in entry.split(b";")]
                if media in liked:
                    liked[media] = _quality(parameters)
    return liked[STREAM] > 0 and liked[STREAM] >= liked[JSON[1]]


def _quality(parameters: list[bytes]) -> float:
    """The weight of an entry (RFC 9110 §12.4.2); what is malformed counts as not given."""
    for part in parameters:
        if part.startswith(b"q="):
            try:
                return min(max(float(part[2:]), 0.0), 1.0)
            except ValueError:
                return 1.0
    return 1.0


async def stream(desk: Desk, call: Call, tenant: str, id: str) -> Reply | None:
    """Writes events until the last one. One that has nothing more to tell is told so: 204."""
    after = _last_seen(call)
    with desk.service.waiting.watch(id) as watch:
        found = await desk.service.look(tenant, id)
        if found is None:
            raise UnknownTransaction("There is no transaction with this id.")
        call.word = found.status
        watch.tell(found)
        if found.status in TERMINAL and found.sequence <= after:
            return Reply(204, [NO_STORE, word(found.status)], b"")
        fields = [word(found.status), *masks(desk, found)]
        await flow(desk, call, fields, _pieces(desk, watch, after))
    return None


async def flow(
    desk: Desk, call: Call, fields: list[tuple[bytes, bytes]], pieces: AsyncIterator[bytes]
) -> None:
    """Writes the pieces until there are no more, or the caller is gone; of a HEAD only the head.

    Raises `TooManyStreams`.
    """
    head = [*HEAD, *fields, desk.date()]
    if call.method == "HEAD":
        await call.start(200, head)
        await call.finish()
        return
    if desk.streams >= desk.limits.streams:
        raise TooManyStreams(f"{desk.limits.streams} event streams are open already.", retry_after_seconds=5)
    desk.streams += 1
    try:
        async with Attended(call, desk.service.keys) as attended:
            attended.watch()
            await call.start(200, head)
            async for piece in pieces:
                await call.write(piece)
            await call.finish()
    finally:
        desk.streams -= 1


async def lasting(service: Service, read: Callable[[], Awaitable[Read]]) -> Read:
    """What `read` gives, as soon as the store has it, for `LONGEST` after it has refused: whoever is being
    sent a stream could only be told by breaking off, and all of them would come back at once."""
    with suppress(StoreUnavailable):
        return await read()
    until = service.clock.now() + LONGEST
    return await until_written(service.outage, read, what="an event stream", until=until)


async def _pieces(desk: Desk, watch: Watch, after: int) -> AsyncIterator[bytes]:
    """What there is, then what comes, with a beat wherever nothing has come for long."""
    service = desk.service
    while True:
        known = watch.known
        assert known is not None
        while after < known.sequence:
            limit = min(known.sequence - after, PAGE)
            log = await lasting(service, partial(service.some_events, known, after=after, limit=limit))
            if not log:  # forgotten
                return
            yield b"".join(map(_block, log))
            after = log[-1].sequence
        if known.status in TERMINAL or service.waiting.ended:
            return
        if not await watch.until(desk.clock.now() + HEARTBEAT, after=after) and not service.waiting.ended:
            yield BEAT


def _block(event: Event) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (
        event.sequence,
        event.kind.encode(),
        encode(spelling.event_of(event)),
    )


def _last_seen(call: Call) -> int:
    """The number of the last event the caller has; `Last-Event-ID` is newer than what the URL says."""
    after = after_of(call) or 0
    given = (first(call.headers, b"last-event-id") or b"").strip()
    if not given:
        return after
    if not given.isdigit() or len(given) > MAX_DIGITS:
        raise BadRequest("Last-Event-ID must be the number of an event", field="Last-Event-ID")
    return int(given)
