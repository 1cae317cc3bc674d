"""Speaks HTTP/1.1 to upstreams: connections in hand, then one request on each.

Nothing here repeats a request, follows a redirect, decodes a body or adds a header but the framing.
"""

import time
from collections.abc import AsyncIterator, Callable

from ..core.errors import Unreachable
from ..core.model import Headers
from ..core.policy import Upstream
from .connection import Connection, Key
from .exchange import Exchange
from .head import request_head
from .opening import SHUTTING_DOWN, open_connection
from .pool import Pool
from .tls import context_for

IDLE_SECONDS = 30.0
IDLE_COUNT = 256  # per upstream


class HTTPSender:
    """A `Sender`. Idle connections are kept for `idle_seconds`, at most `idle_count` per upstream.

    `now` is monotonic seconds, for the age of idle connections only.
    """

    def __init__(
        self,
        *,
        idle_seconds: float = IDLE_SECONDS,
        idle_count: int = IDLE_COUNT,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = Pool(idle_seconds=idle_seconds, idle_count=idle_count, now=now)

    async def connect(
        self, upstream: Upstream, *, max_idle_seconds: float | None, timeout_seconds: float
    ) -> "HTTPLine":
        """An idle connection that fell idle at most `max_idle_seconds` ago, else a new one."""
        if self._pool.is_closed:
            raise Unreachable(SHUTTING_DOWN)
        line = self.at_hand(upstream, max_idle_seconds=max_idle_seconds)
        return line or HTTPLine(await self._open(upstream, _key(upstream), timeout_seconds))

    def at_hand(self, upstream: Upstream, *, max_idle_seconds: float | None) -> "HTTPLine | None":
        """An idle connection, if there is one."""
        connection = self._pool.take(_key(upstream), max_idle_seconds)
        return None if connection is None else HTTPLine(connection)

    async def close(self) -> None:
        """Closes every connection; answers still under way end as `AnswerBroken`."""
        await self._pool.close()

    async def _open(self, upstream: Upstream, key: Key, timeout_seconds: float) -> Connection:
        try:
            context = context_for(upstream)
        except OSError as error:
            raise Unreachable("the upstream's TLS files could not be used") from error
        return await open_connection(
            self._pool,
            key,
            upstream.host,
            upstream.port,
            context=context,
            server_name=upstream.host,
            timeout_seconds=timeout_seconds,
        )


class HTTPLine:
    """A `Line`: a connection nobody else has, on which nothing has been sent.

    Whoever has it closes it in the end (`finally: line.close()`); after a `send` that changes nothing.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection

    async def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes],
        *,
        size: int | None,
        timeout_seconds: float,
    ) -> Exchange:
        """One request, and the head of its answer.

        Raises `ValueError`, with nothing sent and the line given back, where the request cannot be written;
        `Unreachable` where the line was lost before the first byte.
        """
        exchange = self.begin(method, target, headers, body, size=size, timeout_seconds=timeout_seconds)
        return await exchange.head()

    def begin(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes],
        *,
        size: int | None,
        timeout_seconds: float,
    ) -> Exchange:
        """The same without waiting: nothing of the answer is there yet."""
        connection = self._connection
        if connection is None:
            raise RuntimeError("a line carries one request")
        try:
            head = request_head(method, target, headers, size)
            if isinstance(body, bytes):
                body = _framed(body, size)
        except ValueError:
            self.close()
            raise
        self._connection = None
        if not connection.usable():
            raise Unreachable("the upstream closed the connection before the request was sent")
        exchange = Exchange(connection, to_head=method == "HEAD", timeout_seconds=timeout_seconds)
        if isinstance(body, bytes):
            exchange.send(head, body)
        else:
            exchange.send_stream(head, body, size)
        return exchange

    def close(self) -> None:
        """Gives the unused line back, as old as it was."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.usable():
            connection.pool.put_back(connection)


def _key(upstream: Upstream) -> Key:
    return (
        upstream.scheme,
        upstream.host,
        upstream.port,
        upstream.ca_file,
        upstream.client_cert,
        upstream.client_key,
    )


def _framed(body: bytes, size: int | None) -> bytes:
    """A body that is all at hand, as one chunk where its size is not told."""
    if size is None:
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    if len(body) != size:
        raise ValueError("the request's body is not as long as announced")
    return body
