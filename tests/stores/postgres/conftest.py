"""What only the PostgreSQL store's tests need: several stores on one database, and a wire that can be cut."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from restante.core.policy import Limits
from restante.stores.postgres import PostgresStore

Opener = Callable[..., Awaitable[PostgresStore]]


@pytest.fixture
async def opening(database: str) -> AsyncIterator[Opener]:
    """Opens one more store on the test's database, or on another way to it."""
    stores: list[PostgresStore] = []

    async def open(url: str = database, **limits: Any) -> PostgresStore:
        stores.append(await PostgresStore.open(url, limits=Limits(**limits)))
        return stores[-1]

    yield open
    for store in stores:
        await store.close()


async def killed(store: PostgresStore) -> None:
    """Ends a store as kill -9 ends its process: nothing is given back, no lease is renewed."""
    store._closed = True
    assert store._nodes._task is not None
    store._nodes._task.cancel()
    await store._signals.stop()
    await store._pool.close()


async def asked(url: str, text: str, *arguments: object) -> list[asyncpg.Record]:
    """What the database itself says."""
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(text, *arguments)
        return rows
    finally:
        await connection.close()


FLUSH = b"H\x00\x00\x00\x04"
"""Ends what the driver asks beforehand, about the types of a statement."""

SYNC = b"S\x00\x00\x00\x04"
"""Ends what is to be done."""

READY = b"Z\x00\x00\x00\x05"


class Wire:
    """A way to the server that is cut when a statement with certain words is asked for.

    `before`: the server never sees it. `after`: it is done, and the answer is lost. `late`: the client is cut
    off first, and the server sees it only when `release` is set.
    """

    def __init__(self, url: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="restante-wire-")
        self._server_folder = url.partition("host=")[2]
        self.url = url.replace(self._server_folder, self._folder) + "&pooler=on"  # each statement as a whole
        self.cuts = 0
        self.release = asyncio.Event()
        self.delivered = asyncio.Event()
        self._words = b""
        self._how = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Wire":
        path = Path(self._folder) / ".s.PGSQL.5432"
        self._server = await asyncio.start_unix_server(self._serve, path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        shutil.rmtree(self._folder)

    def cut(self, words: str, how: str) -> None:
        """Once, at the next statement with these words."""
        self._words, self._how = words.encode(), how

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        path = f"{self._server_folder}/.s.PGSQL.5432"
        server_reader, server_writer = await asyncio.open_unix_connection(path)
        back = asyncio.create_task(self._pass(server_reader, writer))
        self._tasks.add(back)
        try:
            while data := await reader.read(1 << 20):
                if self._words and self._words in data and not data.endswith(FLUSH):
                    self._words = b""
                    back.cancel()
                    await asyncio.wait([back])
                    await self._cut(data, reader, server_reader, server_writer, writer)
                    return
                server_writer.write(data)
                await server_writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
            server_writer.close()

    async def _cut(
        self,
        data: bytes,
        reader: asyncio.StreamReader,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.cuts += 1
        while not data.endswith(SYNC):  # to its end: Sync
            data += await reader.read(1 << 20)
        if self._how == "late":
            writer.close()
            await self.release.wait()
        if self._how != "before":
            server_writer.write(data)
            while READY not in (await server_reader.read(1 << 20) or READY):
                pass
            self.delivered.set()

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 20):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()


@pytest.fixture
async def wire(database: str) -> AsyncIterator[Wire]:
    async with Wire(database) as wire:
        yield wire
