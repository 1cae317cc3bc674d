"""A tiny upstream in process: notes what came in, answers what a test says, byte by byte."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass
class Came:
    """One request as it came in. Header names as they were spelled."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2
        return values[0] if values else None


Talk = Callable[["Talker"], Awaitable[None]]


class Talker:
    """The upstream's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> Came:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Came(method, target, headers, b"")

    async def request(self) -> Came:
        came = await self.head()
        length = came.header("content-length")
        if length:
            came.body = await self.reader.readexactly(int(length))
        elif came.header("transfer-encoding") == "chunked":
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                came.body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        return came

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


class Upstream:
    """`talk` is run on each connection; without one, every request gets `raw`."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.talk: Talk | None = None
        self.raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
        self.lost = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**26)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        talker = Talker(reader, writer)
        try:
            if self.talk is not None:
                await self.talk(talker)
                return
            while True:
                self.came.append(await talker.request())
                await talker.say(self.raw)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost.set()
        finally:
            self._tasks.discard(task)
            writer.close()
