"""Answers that were kept, handed to a caller: many times, or, where it is an error, once.

A reading that is the only one is reserved on disk, sent, and then confirmed. Who leaves before the last
byte was out of our hands has not read it: the answer may be read again. So may one whose process died
before the confirmation; a reader that got every byte and is asked for again then was, at worst, served
twice (never nobody at all).
"""

import asyncio
from collections.abc import AsyncIterator

from ..core.headers import WITHOUT_BODY, first
from ..core.model import Result, Transaction
from ..service import reading
from .attended import Attended
from .call import BrokenOff, Call
from .desk import Desk
from .problems import log
from .reply import Reply, verbatim

LAST_PIECE = 1024
"""Bytes kept back to the end: so few that once all others are out, these are at once."""


async def give(desk: Desk, call: Call, transaction: Transaction, result: Result) -> None:
    """Sends the upstream's answer as often as it is asked for. HEAD gets the same head."""
    size: int | None = result.body.size
    if (
        call.method == transaction.method == "HEAD"
    ):  # then the upstream has said the size of what it kept back
        announced = first(result.headers, b"content-length")
        size = int(announced) if announced and announced.isdigit() else None
    headers = verbatim(result.headers, result.status, size)
    bare = call.method == "HEAD" or result.status in WITHOUT_BODY
    if bare or result.body.inline is not None:
        await call.answer(result.status, headers, b"" if bare else result.body.inline or b"")
        return
    async with Attended(call) as attended:
        attended.watch()
        await call.start(result.status, headers)
        async for piece in _pieces(desk, transaction, result):
            await call.write(piece)
        await call.finish()


async def give_once(desk: Desk, call: Call, transaction: Transaction, kept: Result | Reply) -> bool:
    """Sends an answer to this caller and nobody else; False, and nothing sent, where it is taken."""
    leaving = asyncio.create_task(call.left())
    try:
        token = await reading.reserve(desk.service, transaction)
        if token is None:
            return False
        handed_over = False
        try:
            handed_over = await _send(desk, call, transaction, kept, leaving)
        finally:
            await desk.see_through(_settle(desk, transaction, token, handed_over))
        return True
    finally:
        leaving.cancel()


async def _send(
    desk: Desk, call: Call, transaction: Transaction, kept: Result | Reply, leaving: asyncio.Task[None]
) -> bool:
    """Whether the last byte was handed over before the client was seen to have left."""
    if isinstance(kept, Result):
        code, headers = kept.status, verbatim(kept.headers, kept.status, kept.body.size)
    else:
        code, headers = kept.code, kept.headers
    if leaving.done():
        return False
    call.unbuffered(True)
    await call.start(code, headers)
    last = b""
    async for piece in _pieces(desk, transaction, kept):
        if last:
            await call.write(last)
        if leaving.done():
            return False
        last = piece
    if len(last) > LAST_PIECE:
        await call.write(last[:-LAST_PIECE])
        last = last[-LAST_PIECE:]
    await call.write(b"")  # waits until everything before it is out
    await asyncio.sleep(0)
    if leaving.done():
        return False
    call.unbuffered(False)
    await call.finish(last)
    return True


async def _settle(desk: Desk, transaction: Transaction, token: int, handed_over: bool) -> None:
    try:
        await reading.settle(desk.service, transaction, token, read=handed_over)
    except Exception as error:
        log.error("the reading of %s could not be settled", transaction.id, exc_info=error)


async def _pieces(desk: Desk, transaction: Transaction, kept: Result | Reply) -> AsyncIterator[bytes]:
    if isinstance(kept, Reply):
        yield kept.body
        return
    if kept.status in WITHOUT_BODY:
        return
    try:
        async for piece in desk.service.read_result(transaction, kept):
            yield piece
    except Exception as error:
        log.error("the answer of %s could not be read to its end", transaction.id, exc_info=error)
        raise BrokenOff("a kept answer could not be read to its end") from error
