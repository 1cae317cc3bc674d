"""One request to an ASGI application of this process, and its answer as it comes.

What a server and a connection between us and the application would do, without them:

- the application is called in a task and a context of its own, as a server calls it;
- it is held back while more than MAX_UNREAD bytes of its answer have not been fetched;
- whatever would not be a valid answer on a connection (no head, a wrong length, a line end in a field) is
  none here either; what it raises before its answer has begun is a 500, as any server makes it, and
  `SystemExit`, which would end the process again at each attempt, is nothing else;
- who waits no longer (timeout, shutdown) hangs up: `http.disconnect`, and soon after the task is cancelled;
- what it does after its answer is complete (background tasks) is let go on.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextvars import Context
from typing import Any

from ..core.errors import AnswerBroken, NoAnswerInTime
from ..core.headers import WITHOUT_BODY, first
from ..core.model import Headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_UNREAD = 64 * 1024
"""Bytes of an answer that nobody fetched yet, above which the application waits."""

LEAVE_SECONDS = 1.0
"""How long an application has to end by itself once it was told `http.disconnect`; then it is cancelled."""

NAME = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # RFC 9110 §5.6.2
LINE_ENDS = (b"\r", b"\n", b"\0")

GAVE_UP = "the exchange was ended on this side"
FAILED: Headers = ((b"content-type", b"text/plain; charset=utf-8"),)

log = logging.getLogger("restante.embed")


class AppExchange:
    """An `Answer`. `body` is the request's, of `size` bytes where that is known."""

    def __init__(
        self,
        app: App,
        scope: Scope,
        *,
        body: bytes | AsyncIterator[bytes],
        size: int | None,
        timeout_seconds: float,
    ) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.size: int | None = None
        self._app = app
        self._scope = scope
        self._pieces = _whole(body) if isinstance(body, bytes) else body
        self._announced = size
        self._taken = 0  # bytes of the request
        self._asked_all = False
        self._unread: deque[bytes] = deque()
        self._waiting = 0  # bytes in there
        self._given = 0  # bytes of the answer
        self._complete = False
        self._error: Exception | None = None
        self._over = asyncio.Event()  # complete, or failed
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._timeout_seconds = timeout_seconds
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(timeout_seconds, self._time_is_up)
        self.task = loop.create_task(self._run(), context=Context())

    # The answer, as the port promises it

    async def head(self) -> "AppExchange":
        """Waits for the answer's head. Raises `UpstreamError`, or what the request's body raised."""
        try:
            while not self.status:
                if self._error is not None:
                    raise self._error
                await self._news()
        except BaseException:
            self.close()
            raise
        return self

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces as they come; what came before a break is given out before it is raised."""
        try:
            while True:
                if self._unread:
                    yield self._fetch()
                elif self._complete:
                    break
                elif self._error is not None:
                    raise self._error
                else:
                    await self._news()
        finally:
            self.close()

    def close(self) -> None:
        """Hangs up, unless the answer is complete."""
        self._fail(AnswerBroken(GAVE_UP, sent=True))
        if self._unread:
            self._fetch()

    # The application's side

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except asyncio.CancelledError:
            self._fail(AnswerBroken("the application gave up its answer", sent=True))
            raise
        except BaseException as error:  # sys.exit() too: it is a request's, not this process's
            log.error("%s %s: the application raised", self._scope["method"], self._path, exc_info=error)
            self._ended()
        else:
            if not self.status and self._error is None:
                log.error("%s %s: the application gave no answer", self._scope["method"], self._path)
            self._ended()

    @property
    def _path(self) -> str:
        return str(self._scope["path"])[:200]

    async def _receive(self) -> Message:
        """`http.request` as long as there is something of it, then, when all is over, `http.disconnect`."""
        if not self._asked_all and not self._over.is_set():
            try:
                return await self._next()
            except Exception as error:
                self._fail(error)
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _next(self) -> Message:
        """The next piece. Raises `ValueError` where the body is of another length than announced."""
        async for piece in self._pieces:
            self._taken += len(piece)
            if self._announced is not None and self._taken > self._announced:
                raise ValueError("the request's body is longer than announced")
            self._asked_all = self._taken == self._announced
            if piece or self._asked_all:
                return {"type": "http.request", "body": piece, "more_body": not self._asked_all}
        if self._announced is not None and self._taken < self._announced:
            raise ValueError("the request's body is shorter than announced")
        self._asked_all = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        if self._error is not None:  # nobody is there any more
            return
        match message["type"]:
            case "http.response.start" if not self.status:
                self._begin(message)
            case "http.response.body" if self.status and not self._complete:
                self._go_on(bytes(message.get("body", b"")), more=bool(message.get("more_body")))
                while self._waiting > MAX_UNREAD and not self._over.is_set():
                    self._writer = asyncio.get_running_loop().create_future()
                    await self._writer
            case kind:
                raise RuntimeError(f"{kind} does not belong here")

    def _begin(self, message: Message) -> None:
        """The head. `RuntimeError` where it is none, as from any server."""
        status = message["status"]
        headers = tuple((bytes(name), bytes(value)) for name, value in message.get("headers", ()))
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise RuntimeError("an answer's status must be from 200 to 599")
        for name, value in headers:
            if not name or name.translate(None, NAME) or any(end in value for end in LINE_ENDS):
                raise RuntimeError("an answer's header field holds what none may hold")
        length = first(headers, b"content-length")
        if length is not None and not length.isdigit():
            raise RuntimeError("an answer's Content-Length must be a number")
        self.status, self.headers = int(status), headers
        self.size = 0 if self._bare else None if length is None else int(length)
        self._wake()

    @property
    def _bare(self) -> bool:
        return self._scope["method"] == "HEAD" or self.status in WITHOUT_BODY

    def _go_on(self, piece: bytes, *, more: bool) -> None:
        if piece and not self._bare:
            self._given += len(piece)
            self._waiting += len(piece)
            self._unread.append(piece)
        if self.size is not None and self._given > self.size:
            self._fail(AnswerBroken("the application's answer is longer than its Content-Length", sent=True))
        elif not more and self.size is not None and self._given < self.size:
            self._fail(AnswerBroken("the application's answer is shorter than its Content-Length", sent=True))
        elif not more:
            self._complete = True
            self._timer.cancel()
            self._over.set()
        self._wake()

    def _ended(self) -> None:
        """The application has returned, or raised."""
        if not self.status and self._error is None:
            self._begin({"status": 500, "headers": FAILED})
            self._go_on(b"Internal Server Error", more=False)
        else:
            self._fail(AnswerBroken("the application broke off its answer", sent=True))

    # Within

    def _fail(self, error: Exception) -> None:
        """Ends it with `error`, unless it has ended."""
        if self._complete or self._error is not None:
            return
        self._error = error
        self._timer.cancel()
        self._over.set()
        cancelling = asyncio.get_running_loop().call_later(LEAVE_SECONDS, self.task.cancel)
        self.task.add_done_callback(lambda _: cancelling.cancel())
        self._wake()
        self._let_write()

    def _time_is_up(self) -> None:
        what = "the answer was not complete" if self.status else "no answer"
        self._fail(NoAnswerInTime(f"{what} within {self._timeout_seconds:g} s", sent=True))

    def _fetch(self) -> bytes:
        data = b"".join(self._unread)
        self._unread.clear()
        self._waiting = 0
        self._let_write()
        return data

    async def _news(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _let_write(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
