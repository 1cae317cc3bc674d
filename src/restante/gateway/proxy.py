"""Straight through: every other path goes to the upstream and its answer comes back, both streamed."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from ..core.clock import SECOND
from ..core.envelope import Envelope, open_envelope
from ..core.errors import AnswerBroken, UpstreamError
from ..core.forward import forward_headers, target
from ..core.headers import WITHOUT_BODY, first
from ..core.policy import ANY_ROUTE, IDEMPOTENT_METHODS, Upstream
from ..ports import Answer, Line
from .attended import Attended
from .call import BrokenOff, Call
from .desk import Desk
from .framing import announced
from .reply import verbatim
from .rooms import Place

FRESH_SECONDS = 2.0
"""A request that must not be repeated goes out on a connection that was idle for no longer."""

SMALL_BODY = 64 * 1024
"""A body announced to be no larger is read first: the upstream need not wait for a slow caller."""

Body = bytes | AsyncIterator[bytes]


class Outgoing(NamedTuple):
    """What goes to the upstream. `size` is None for a chunked body."""

    envelope: Envelope
    upstream: Upstream
    body: Body
    size: int | None


async def through(desk: Desk, call: Call, place: Place) -> None:
    """One exchange. A client that leaves ends it at once; an upstream that breaks off, the client's too."""
    if call.caller is not None:
        desk.service.quotas.spend(call.caller.tenant)
    envelope = open_envelope(call.headers)
    upstream = desk.policy.upstreams[(place.route or ANY_ROUTE).upstream]
    size = announced(call, envelope)
    async with Attended(call) as attended:
        body: Body
        if size is None or size > SMALL_BODY:
            body = _streamed(call, attended)
        else:
            body = await call.whole_body() if size else b""
            attended.watch()
        with desk.passing[upstream.name]:
            answer = await _ask(desk, call, Outgoing(envelope, upstream, body, size))
            try:
                await _relay(call, answer)
            finally:
                answer.close()


async def _ask(desk: Desk, call: Call, outgoing: Outgoing) -> Answer:
    """The head of the answer. Raises `UpstreamError`.

    An idle connection may be closed by the upstream at just the moment it is used: then a request that
    did not go out, or does no harm twice, is sent once more, on a new one.
    """
    idempotent = call.method in IDEMPOTENT_METHODS
    line = await _connect(desk, outgoing.upstream, None if idempotent else FRESH_SECONDS)
    try:
        return await _send(call, outgoing, line)
    except UpstreamError as error:
        harmless = not error.sent or (idempotent and isinstance(error, AnswerBroken))
        if not harmless or not isinstance(outgoing.body, bytes):
            raise
    return await _send(call, outgoing, await _connect(desk, outgoing.upstream, 0.0))


async def _connect(desk: Desk, upstream: Upstream, max_idle_seconds: float | None) -> Line:
    return await desk.sender.connect(
        upstream, max_idle_seconds=max_idle_seconds, timeout_seconds=upstream.connect_timeout / SECOND
    )


async def _send(call: Call, outgoing: Outgoing, line: Line) -> Answer:
    upstream = outgoing.upstream
    try:
        return await line.send(
            call.method,
            target(upstream, call.path, call.query),
            forward_headers(outgoing.envelope.kept, upstream),
            outgoing.body,
            size=outgoing.size,
            timeout_seconds=upstream.timeout / SECOND,
        )
    finally:
        line.close()


async def _relay(call: Call, answer: Answer) -> None:
    bare = call.method == "HEAD" or answer.status in WITHOUT_BODY
    headers = verbatim(answer.headers, answer.status, None if bare else answer.size)
    if call.method == "HEAD":
        length = first(answer.headers, b"content-length")
        if length is not None:
            headers.append((b"content-length", length))
    await call.start(answer.status, headers)
    try:
        async for piece in answer.body():
            await call.write(piece)
    except UpstreamError as error:
        raise BrokenOff(error.message) from error
    await call.finish()


async def _streamed(call: Call, attended: Attended) -> AsyncIterator[bytes]:
    async for piece in call.pieces():
        yield piece
    attended.watch()
