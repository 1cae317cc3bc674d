"""Pages for people below `/-/`: handed on to the room that makes them, with who asks left to it."""

from contextlib import aclosing

from ..ports.dashboard import Asked
from .attended import Attended
from .call import Call
from .desk import Desk
from .framing import small_body
from .reply import Reply, length

MAX_FORM = 16 * 1024
"""Bytes of a form."""


async def people(desk: Desk, call: Call, path: str) -> Reply | None:
    """`path` is what follows `/-/`; there is a dashboard that serves it."""
    assert desk.dashboard is not None
    desk.pages.check_host(call)
    shown = await desk.dashboard.show(
        Asked(
            method="GET" if call.method == "HEAD" else call.method,
            path=path,
            query=call.query,
            headers=call.headers,
            origin=desk.origin(call),
            body=await small_body(call, MAX_FORM),
        )
    )
    if isinstance(shown.body, bytes):
        return Reply(shown.code, [*shown.headers, length(shown.body)], shown.body)
    if call.method == "HEAD":
        return Reply(shown.code, shown.headers, b"")
    async with Attended(call) as attended, aclosing(shown.body) as pieces:
        attended.watch()
        await call.start(shown.code, [*shown.headers, desk.date()])
        async for piece in pieces:
            await call.write(piece)
        await call.finish()
    return None
