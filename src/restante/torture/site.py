"""The little of an HTTP server that misbehaves on purpose: its handler writes bytes, and may stop
anywhere."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec

from .journal import Fields, said

LONGEST_HEAD = 64 * 1024
BACKLOG = 1024


class Asked(msgspec.Struct, frozen=True):
    """A request. Header names are in lower case; the last of several wins."""

    method: str
    target: str
    headers: dict[str, str]
    fields: Fields
    body: bytes


class HungUp(Exception):
    """The handler wants the connection closed as it stands."""


Handler = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


class Site:
    """On a port of this machine, from `open` to `close`; between them it may go `away` and come `back`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Listens: the first time on a free port, then on that one again."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=LONGEST_HEAD, backlog=BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Nobody is let in any more, and whoever is connected is cut off."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(
                asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, HungUp
            ):
                while True:
                    await self._handler(await _asked(reader), writer)
                    await writer.drain()
        finally:
            self._tasks.discard(task)
            writer.close()


async def _asked(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    pairs = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
    headers = {name.lower(): value for name, value in pairs}
    fields = said((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Asked(method, target, headers, fields, await _chunks(reader))
    size = int(headers.get("content-length", "0"))
    return Asked(method, target, headers, fields, await reader.readexactly(size))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


def answer(code: int, body: bytes, *headers: tuple[str, str], size: int | None = None) -> bytes:
    """An answer's bytes; with `size` it announces more than it has."""
    lines = [f"HTTP/1.1 {code} Said", *(f"{name}: {value}" for name, value in headers)]
    if code != 204:
        lines.append(f"Content-Length: {len(body) if size is None else size}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
