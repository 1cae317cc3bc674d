"""A raw TCP upstream whose behaviour is a script: for tests that need an upstream to misbehave exactly so.

    async def script(peer: Peer) -> None:
        request = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nhalf")

    async with ScriptedUpstream(script) as upstream:
        await sender.connect(upstream.policy(), ...)

The script runs once per connection; when it returns, the connection is closed. What goes wrong in a
script (but for lost connections) is raised at the end of the `async with`.
"""

import asyncio
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Self

from restante.core.policy import Upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Received:
    """A request as it came: header names and values are raw bytes, the body has no transfer coding."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    head: bytes
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        """The values of the header `name` (lower case), in order."""
        return [value for key, value in self.headers if key.lower() == name]


class Peer:
    """One connection, seen from the upstream."""

    def __init__(
        self, upstream: "ScriptedUpstream", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.upstream = upstream
        self.reader = reader
        self.writer = writer
        self.number = upstream.connections  # counted from 1

    async def head(self) -> bytes:
        """Reads up to the empty line. Raises `EOFError` where the other side closes instead."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> Received:
        """Reads one whole request and records it in `upstream.requests`."""
        head = await self.head()
        first, *lines = head[:-4].split(b"\r\n")
        method, target, version = first.decode("latin-1").split(" ")
        assert version == "HTTP/1.1"
        pairs = [line.split(b": ", 1) for line in lines]
        headers = tuple((name, value) for name, value in pairs)
        lower = {name.lower(): value for name, value in headers}
        if lower.get(b"transfer-encoding") == b"chunked":
            body = await self._chunks()
        else:
            body = await self.reader.readexactly(int(lower.get(b"content-length", b"0")))
        received = Received(method, target, headers, head, body)
        self.upstream.requests.append(received)
        return received

    async def _chunks(self) -> bytes:
        pieces: list[bytes] = []
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            piece = await self.reader.readexactly(size + 2)
            assert piece[size:] == b"\r\n"
            if not size:
                return b"".join(pieces)
            pieces.append(piece[:size])

    async def send(self, data: bytes) -> None:
        """Raises `ConnectionError` where the other side has closed."""
        if self.writer.is_closing():  # uvloop would raise something else
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def left(self) -> bytes:
        """Waits until the other side has closed; what it sent until then."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    def reset(self) -> None:
        """Closes with a TCP reset."""
        self.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[Any]]


def always(answer: bytes) -> Script:
    """Answers every request with these bytes, on any number of connections, until the other side leaves."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer)

    return script


def once(answer: bytes) -> Script:
    """Answers one request per connection with these bytes, then closes."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    return script


def hanging(answer: bytes) -> Script:
    """Answers one request per connection with these bytes, then waits for the other side to close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await peer.left()

    return script


class ScriptedUpstream:
    """Listens on a free port of 127.0.0.1 as long as the `async with` lasts.

    `requests` are those read with `Peer.request()`, `connections` counts all that were accepted,
    `now_open` those that are open.
    """

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.now_open = 0
        self.port = 0
        self._script = script
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []
        self._changed = asyncio.Event()

    def policy(self, **settings: Any) -> Upstream:
        """This upstream as configuration has it; `settings` replace fields of `Upstream`."""
        fields: dict[str, Any] = {
            "scheme": "https" if self._tls else "http",
            "host": "127.0.0.1",
            "port": self.port,
            "authority": f"127.0.0.1:{self.port}",
        }
        return Upstream(**fields | settings)

    async def until_open(self, count: int) -> None:
        """Waits until `count` connections are open; gives up after ten seconds."""
        async with asyncio.timeout(10):
            while self.now_open != count:
                self._changed.clear()
                await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.now_open += 1
        self._changed.set()
        try:
            await self._script(Peer(self, reader, writer))
            writer.close()
            await writer.wait_closed()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        except BaseException as error:
            self._errors.append(error)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)
            self.now_open -= 1
            self._changed.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._errors:
            raise self._errors[0]
