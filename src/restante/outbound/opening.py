"""A new connection, to a name or to one address, with or without TLS; or why there is none."""

import asyncio
import ssl

from ..core.errors import OutOfHandles, Unreachable
from .connection import Connection, Key
from .pool import Pool
from .trouble import NO_FILES, in_words

SHUTTING_DOWN = "this side is shutting down"


async def open_connection(
    pool: Pool,
    key: Key,
    host: str,
    port: int,
    *,
    context: ssl.SSLContext | None,
    server_name: str,
    timeout_seconds: float | None,
) -> Connection:
    """A connection to `host` and `port`; with a `context` whoever answers must prove to be `server_name`.

    Raises `Unreachable`. However it ends, nothing is left open that nobody takes: the connection may have
    been made at just the moment at which the time was up, or whoever wanted it left.
    """
    loop = asyncio.get_running_loop()
    made: list[Connection] = []
    connection: Connection | None = None

    def make() -> Connection:
        made.append(Connection(key, pool, loop))
        return made[-1]

    try:
        async with asyncio.timeout(timeout_seconds):
            _, connection = await loop.create_connection(
                make,
                host,
                port,
                ssl=context,
                server_hostname=server_name if context is not None else None,
            )
    except OSError as error:
        phrase = in_words(error, secure=context is not None, timeout_seconds=timeout_seconds)
        raise (OutOfHandles if phrase is NO_FILES else Unreachable)(phrase) from error
    except UnicodeError as error:
        raise Unreachable("the upstream's name is not a host name") from error
    finally:
        for one in made:
            if one is not connection:
                one.give_up()
    if pool.is_closed:  # meanwhile
        connection.drop()
        raise Unreachable(SHUTTING_DOWN)
    return connection
