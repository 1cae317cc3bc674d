"""A pooler in transaction mode, as small as can be: between two transactions the session is another one.

It keeps three sessions for each client and goes on to the next whenever a transaction is over, which is worse
than any real one. Like pgbouncer it refuses settings at the start that it does not know.
"""

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path

SESSIONS = 3
REFUSAL = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: statement_timeout\0\0"

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Pooler:
    """Stands before the server of `url`; its own is `url`."""

    def __init__(self, url: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="restante-pool-")
        self._server_folder = url.partition("host=")[2]
        self.url = url.replace(self._server_folder, self._folder)
        self.transactions = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Pooler":
        self._server = await asyncio.start_unix_server(self._serve, Path(self._folder) / ".s.PGSQL.5432")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        shutil.rmtree(self._folder)

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        sessions: list[tuple[Reader, Writer]] = []
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            size = await reader.readexactly(4)
            start = size + await reader.readexactly(int.from_bytes(size, "big") - 4)
            if b"statement_timeout" in start:
                writer.write(b"E" + (len(REFUSAL) + 4).to_bytes(4, "big") + REFUSAL)
                await writer.drain()
            else:
                for _ in range(SESSIONS):
                    sessions.append(await self._session(start))
                await self._pool(start, sessions, reader, writer)
        for _, session in sessions:
            session.close()
        writer.close()

    async def _session(self, start: bytes) -> tuple[Reader, Writer]:
        reader, writer = await asyncio.open_unix_connection(f"{self._server_folder}/.s.PGSQL.5432")
        writer.write(start)
        return reader, writer

    async def _pool(
        self, start: bytes, sessions: list[tuple[Reader, Writer]], reader: Reader, writer: Writer
    ) -> None:
        for number, (answers, _) in enumerate(sessions):
            message = b""
            while message[:1] != b"Z":
                message = await _message(answers)
                if not number:
                    writer.write(message)
        state = State()
        relays = [asyncio.create_task(self._relay(answers, writer, state)) for answers, _ in sessions]
        self._tasks.update(relays)
        try:
            while True:
                message = await _message(reader)
                if message[:1] == b"X":
                    return
                if state.free:
                    state.free = False
                    state.session = (state.session + 1) % SESSIONS
                    self.transactions += 1
                state.asked += message[:1] in (b"S", b"Q")
                sessions[state.session][1].write(message)
        finally:
            for relay in relays:
                relay.cancel()

    @staticmethod
    async def _relay(answers: Reader, writer: Writer, state: "State") -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                message = await _message(answers)
                if message[:1] == b"Z":
                    state.asked -= 1
                    state.free = not state.asked and message[-1:] == b"I"
                writer.write(message)


class State:
    """Of one client."""

    def __init__(self) -> None:
        self.session = 0
        self.asked = 0  # transactions begun and not answered
        self.free = True  # the next message may go to another session


async def _message(reader: Reader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
