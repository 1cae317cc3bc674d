"""News for pages that are open: an event stream that says when there is something to load anew.

The page loads itself again and shows what it got; what it looks like is decided in one place, here. A stream
holds nothing of the store while it waits.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..core.clock import SECOND
from ..core.errors import Refused
from ..core.machine import TERMINAL
from ..core.status import Phase
from ..ports.dashboard import Shown
from .contents import look
from .visit import Visit

EVERY = 5 * SECOND
"""How old an overview gets at most; its plots go on when nothing else does. So old gets what is said of
something that waits, whose place in line moves while nothing happens to itself."""

BEAT = 15 * SECOND
"""How long a stream is silent at most."""

LEAST = 1 * SECOND
"""How often a page is told to load anew at most."""

MOST = 500
"""Pages of one process that are told at once."""

Pieces = AsyncGenerator[bytes, None]

HEAD = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
CHANGED = b"event: changed\ndata:\n\n"
ENDED = b"event: ended\ndata:\n\n"
NOTHING = b":\n\n"


class TooManyPages(Refused):
    """More pages are open than are told."""

    status = 503
    title = "Too many pages"


async def overview(visit: Visit, _: str) -> Shown:
    return _stream(visit, _overview(visit))


async def transaction(visit: Visit, id: str) -> Shown:
    found = await look(visit, id)
    return _stream(visit, _transaction(visit, found.id))


def _stream(visit: Visit, pieces: Pieces) -> Shown:
    if visit.streams.open >= MOST:
        raise TooManyPages(f"{MOST} pages are open already.", retry_after_seconds=30)
    return Shown(200, list(HEAD), _counted(visit, pieces))


async def _counted(visit: Visit, pieces: Pieces) -> Pieces:
    visit.streams.open += 1
    try:
        async with aclosing(pieces):
            yield NOTHING
            async for piece in pieces:
                yield piece
    finally:
        visit.streams.open -= 1


async def _overview(visit: Visit) -> Pieces:
    service = visit.service
    while not service.feed.ended:
        began = service.clock.now()
        await service.feed.news(visit.tenant, span=EVERY)
        rest = LEAST - (service.clock.now() - began)
        if rest > 0:  # what comes at once is told together
            await service.feed.news("", span=rest)
        yield CHANGED


async def _transaction(visit: Visit, id: str) -> Pieces:
    service = visit.service
    with service.waiting.watch(id) as watch:
        found = await service.look(visit.own, id)
        if found is None:
            return
        watch.tell(found)
        after = found.sequence
        while not service.waiting.ended:
            known = watch.known
            assert known is not None
            queued = known.phase is Phase.WAITING
            if await watch.until(service.clock.now() + (EVERY if queued else BEAT), after=after):
                known = watch.known
                assert known is not None
                ended = known.status in TERMINAL
                if known.sequence > after:
                    yield CHANGED
                after = known.sequence
                if ended:
                    yield ENDED
                    return
            else:  # what stands before it may have moved
                yield CHANGED if queued else NOTHING
