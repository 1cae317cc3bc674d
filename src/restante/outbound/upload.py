"""A request's body that comes piece by piece, written as fast as the upstream takes it."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ..core.errors import AnswerBroken
from .connection import Connection

if TYPE_CHECKING:
    from .exchange import Exchange


async def upload(
    exchange: "Exchange", connection: Connection, body: AsyncIterator[bytes], size: int | None
) -> None:
    """Writes `body`; whatever it raises ends the exchange with just that.

    With a `size`, a body of another length is a mistake of the caller: `ValueError`, and the upstream is
    left with a request that is visibly broken off.
    """
    written = 0
    try:
        async for piece in body:
            if not piece:
                continue
            written += len(piece)
            await connection.caught_up()
            if exchange.status >= 300:
                return  # the upstream wants no more of it (RFC 9112 §9.5)
            if size is None:
                connection.transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
            elif written > size:
                raise ValueError("the request's body is longer than announced")
            else:
                connection.transport.write(piece)
                exchange.sent_all = written == size
            await connection.writable()
            await asyncio.sleep(0)  # a body that is all at hand must not hold up the loop
        if size is None:
            connection.transport.write(b"0\r\n\r\n")
            exchange.sent_all = True
        elif written < size:
            raise ValueError("the request's body is shorter than announced")
    except asyncio.CancelledError:  # by the exchange, which is over then; or from within the body
        exchange.fail(AnswerBroken("the request's body broke off", sent=True))
        raise
    except Exception as error:
        exchange.fail(error)
