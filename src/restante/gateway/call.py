"""One request and its answer, over ASGI: reading the body, writing pieces, seeing the client leave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

from ..ports.auth import Caller

Scope = MutableMapping[str, Any]
Ends = Mapping[str, Any]
"""Of a connection: its `client` and `scheme`, as they are in an ASGI scope."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Fields = Sequence[tuple[bytes, bytes]]

DISCONNECT = "http.disconnect"
CLOSE = (b"connection", b"close")
ALLOW_ORIGIN = b"access-control-allow-origin"

FORGETTABLE = 64 * 1024
LINGER_BYTES = 32 * 1024 * 1024
LINGER_SECONDS = 3.0

STALLED_SECONDS = 60.0
"""How long a client may take nothing of an answer that is being sent."""

CUT = "restante.cut"
"""ASGI extension of our server: `cut()` ends the connection at once, with whatever was not sent."""

UNBUFFERED = "restante.unbuffered"
"""ASGI extension of our server: `unbuffered(True)` makes every write wait until the one before it has
left this process, `unbuffered(False)` ends that."""


WHOLE = "restante.whole"
"""ASGI extension of our server: `whole(send, code, headers, body)`, given the `send` of the request, hands a
whole answer of ours to the connection in one write; False, and nothing done, where that cannot be just
now."""

LEAVING = "restante.leaving"
"""ASGI extension of our server: `leaving(wake)` has `wake()` called when the connection is lost,
`leaving(None)` ends that; False where it is lost already. So that who waits needs no task to see it."""


class ClientGone(Exception):
    """The client has left: there is nobody to answer."""


class BrokenOff(Exception):
    """An answer cannot be ended as it was begun: its connection must be broken off, never ended cleanly."""


class Call:
    """A request. `path` and `query` are the bytes as they came, as latin-1 text."""

    __slots__ = (
        "applied",
        "body_read",
        "caller",
        "finished",
        "headers",
        "method",
        "path",
        "query",
        "receive",
        "scope",
        "send",
        "shared",
        "started",
        "unread",
        "word",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.method: str = scope["method"]
        self.path: str = scope["raw_path"].decode("latin-1")
        self.query: str = scope["query_string"].decode("latin-1")
        self.headers: Fields = scope["headers"]
        self.body_read = False
        self.started = False
        self.finished = False
        self.unread = False
        self.caller: Caller | None = None  # who was let in
        self.shared: Fields = ()  # fields of any answer: which pages may see it
        self.applied: Fields = ()  # fields of any answer: which preferences were applied
        self.word = ""  # the status of the transaction that this is about, where one was found

    # -- the request's body

    async def body(self) -> tuple[bytes, AsyncIterator[bytes] | None]:
        """What is there of the body and, where that is not all, the rest. Raises `ClientGone`."""
        if self.body_read:
            return b"", None
        message = await self.receive()
        if message["type"] == DISCONNECT:
            raise ClientGone
        if message.get("more_body"):
            return message.get("body", b""), self.pieces()
        self.body_read = True
        return message.get("body", b""), None

    async def whole_body(self) -> bytes:
        """All of the body, where it is known to be small. Raises `ClientGone`."""
        return b"".join([piece async for piece in self.pieces()])

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, or what is left of it, as it comes. Raises `ClientGone`."""
        while not self.body_read:
            message = await self.receive()
            if message["type"] == DISCONNECT:
                raise ClientGone
            self.body_read = not message.get("more_body")
            if message.get("body"):
                yield message["body"]

    # -- the answer

    async def answer(self, code: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """An answer whose body is in hand; to HEAD without it."""
        if self.method == "HEAD":
            body = b""
        if not self.body_read:
            await self.start(code, headers)
            await self.finish(body)
            return
        headers = self._complete(headers)
        self.started = self.finished = True
        whole = self.scope.get("extensions", {}).get(WHOLE)
        if whole is not None and whole(self.send, code, headers, body):
            return
        await self.send({"type": "http.response.start", "status": code, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def start(self, code: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The head. Where a large body was not read to its end, the connection ends with this answer."""
        self.started = True
        if not self.body_read and self._much_unread():
            self.unread = True
            headers = headers if CLOSE in headers else [*headers, CLOSE]
        headers = self._complete(headers)
        await self.send({"type": "http.response.start", "status": code, "headers": headers})

    async def write(self, piece: bytes) -> None:
        """A piece that is not the last; waits while the client is slower than we are. A client that takes
        nothing for STALLED_SECONDS is given up, and its connection cut: raises `ClientGone`."""
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                await self.send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            cut = (self.scope.get("extensions") or {}).get(CUT)
            if cut is not None:
                cut()
            raise ClientGone from None

    async def finish(self, piece: bytes = b"") -> None:
        """The last piece."""
        if self.unread:
            await self.write(piece)
            piece = b""
            await self._linger()
        self.finished = True
        await self.send({"type": "http.response.body", "body": piece, "more_body": False})

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """With what any answer to this request says. An upstream's own word about pages stands."""
        if self.applied:
            headers = [*headers, *self.applied]
        if self.shared and not any(name.lower() == ALLOW_ORIGIN for name, _ in headers):
            headers = [*headers, *self.shared]
        return headers

    def _much_unread(self) -> bool:
        """Whether the rest of the body is more than the server may as well read and forget."""
        for name, value in self.headers:
            if name == b"content-length":
                if not value.isdigit() or int(value) > FORGETTABLE:
                    return True
            elif name in (b"transfer-encoding", b"expect"):
                return True
        return False

    async def _linger(self) -> None:
        """Reads on for a moment, keeping nothing: closing at once would reset the connection, and the
        client, still sending, might never see the answer."""
        forgotten = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while forgotten < LINGER_BYTES:
                    message = await self.receive()
                    if message["type"] == DISCONNECT or not message.get("more_body"):
                        break
                    forgotten += len(message.get("body", b""))

    def unbuffered(self, on: bool) -> None:
        """Where the server can: each write waits for the one before it to be out of our hands."""
        switch = (self.scope.get("extensions") or {}).get(UNBUFFERED)
        if switch is not None:
            switch(on)

    async def left(self) -> None:
        """Returns when the client has left (or the answer is finished). The body must have been read."""
        while (await self.receive())["type"] != DISCONNECT:
            pass
