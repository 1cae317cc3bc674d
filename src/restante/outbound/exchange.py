"""One request on a connection, and its answer as it comes in.

The parser (llhttp) finds the boundaries; this class judges them. It is strict where two readers might
disagree about where an answer ends, for then the next answer on the connection would be somebody else's.
What cannot be read to its end is an `AnswerBroken`, never half an answer taken for a whole one.
"""

import asyncio
from collections.abc import AsyncIterator

from httptools import HttpResponseParser

from ..core.errors import AnswerBroken, NoAnswerInTime
from ..core.model import Headers
from .connection import Connection
from .upload import upload

MAX_HEAD = 64 * 1024  # bytes of header section, and of anything else that is not body
MAX_INFORMATIONAL = 16  # 1xx answers before the final one
MAX_UNREAD = 64 * 1024  # body bytes that nobody fetched yet, above which reading pauses
PIECE_COST = 64  # what a piece costs in memory beside its bytes

WITHOUT_BODY = frozenset({204, 304})  # RFC 9110 §6.4.1

CONNECTION = b"connection"
CONTENT_LENGTH = b"content-length"
TRANSFER_ENCODING = b"transfer-encoding"

NOT_HTTP = "what came back was not a valid HTTP answer"
HEAD_TOO_LARGE = "the answer's header section was too large"
CLOSED_HERE = "the connection was closed on this side"


class Exchange:
    """An `Answer`, and what the connection and the parser tell it."""

    def __init__(self, connection: Connection, *, without_body: bool, timeout_seconds: float) -> None:
        self.status = 0  # until the final answer's head is here
        self.headers: Headers = ()
        self.size: int | None = None
        self.sent_all = False
        self._connection = connection
        self._without_body = without_body  # the answer to HEAD, 204, 304
        self._chunked = False
        self._reusable = True
        self._complete = False
        self._error: Exception | None = None
        self._why = NOT_HTTP  # the phrase, if the parser stops
        self._fields: list[tuple[bytes, bytes]] = []
        self._informational = 0
        self._overhead = 0  # bytes since the last body byte
        self._received = 0
        self._pieces: list[bytes] = []
        self._unread = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._upload: asyncio.Task[None] | None = None
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._timeout_seconds = timeout_seconds
        self._timer = connection.loop.call_later(timeout_seconds, self._time_is_up)
        connection.exchange = self

    # The request

    def send(self, head: bytes, body: bytes) -> None:
        """Hands a whole request to the transport."""
        self.sent_all = True
        if len(body) > MAX_UNREAD:
            self._connection.transport.write(head)
            self._connection.transport.write(body)
        else:
            self._connection.transport.write(head + body)

    def send_stream(self, head: bytes, body: AsyncIterator[bytes], size: int | None) -> None:
        """Sends the head, then the body as it comes, even beside an answer that comes early."""
        self._connection.transport.write(head)
        self.sent_all = size == 0
        self._upload = self._connection.loop.create_task(upload(self, self._connection, body, size))

    # The answer, as the port promises it

    async def head(self) -> "Exchange":
        """Waits for the head of the final answer."""
        try:
            while not self.status:
                if self._error is not None:
                    raise self._error
                await self._news()
        except BaseException:
            self.close()
            await self._upload_stopped()
            raise
        return self

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces as they come; what arrived before a break is given out before it is raised."""
        try:
            while True:
                if self._pieces:
                    yield self._fetch()
                elif self._complete:
                    break
                elif self._error is not None:
                    raise self._error
                else:
                    await self._news()
        finally:
            self.close()
            await self._upload_stopped()

    def close(self) -> None:
        """Lets go of the connection, unless the answer is complete and it has gone back already."""
        if not self._complete and self._error is None:
            self.fail(AnswerBroken(CLOSED_HERE, sent=True))
        self._pieces.clear()

    def fail(self, error: Exception) -> None:
        """Ends it with `error`, unless it has ended."""
        if self._complete or self._error is not None:
            return
        self._error = error
        self._connection.drop()
        self._settle()

    # What the connection tells

    def feed(self, data: bytes) -> None:
        """Takes bytes from the upstream."""
        parser = self._parser
        if parser is None:
            return
        received = self._received
        self._overhead += len(data)
        try:
            if self._overhead == len(data) and not self.status and data[0] != 0x48:  # not H, of HTTP/
                raise ValueError
            parser.feed_data(data)
        except Exception:  # whatever the parser raises, it is about what came in
            if not self._complete:
                self.fail(AnswerBroken(self._why, sent=True))
                return
            self._reusable = False
        if self._received != received:
            self._overhead = 0
        if self._complete:
            self._finish(self._reusable and (not self._without_body or data.endswith(b"\r\n\r\n")))
        elif self._overhead > MAX_HEAD:
            self.fail(AnswerBroken(HEAD_TOO_LARGE, sent=True))
        else:
            if self._unread > MAX_UNREAD and not self._paused:
                self._paused = True
                self._connection.transport.pause_reading()
            self._wake()

    def end_of_stream(self) -> None:
        """The upstream has said that nothing more will come."""
        if self.status and self.size is None and not self._chunked:
            self._complete = True
            self._finish(reusable=False)
        else:
            self.hang_up()

    def hang_up(self) -> None:
        """The connection is gone."""
        if self.status and self.size is not None:
            phrase = f"the answer broke off after {self._received} of {self.size} bytes"
        elif self.status:
            phrase = f"the answer broke off after {self._received} bytes"
        elif self._overhead:
            phrase = "the upstream closed the connection in the middle of the answer's head"
        else:
            phrase = "the upstream closed the connection before answering"
        self.fail(AnswerBroken(phrase, sent=True))

    # What the parser finds

    def on_message_begin(self) -> None:
        if self._complete:  # bytes after the answer
            raise ValueError

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # later ones are trailers, which are dropped
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise ValueError
        if 100 <= status < 200:
            self._skip_informational(status)
            return
        if not 200 <= status <= 599:
            self._refuse(f"the answer's status, {status}, is none that HTTP knows")
        if self._overhead > MAX_HEAD and sum(len(n) + len(v) + 4 for n, v in self._fields) > MAX_HEAD:
            self._refuse(HEAD_TOO_LARGE)
        self._read_framing(version)
        self.headers = tuple(self._fields)
        self.status = status
        self._why = "the answer's body was not valid HTTP"
        if self._without_body or status in WITHOUT_BODY:
            self._without_body = True
            self.size = 0
            self._complete = True

    def on_body(self, piece: bytes) -> None:
        if self._complete:  # a body where there can be none
            raise ValueError
        self._pieces.append(piece)
        self._received += len(piece)
        self._unread += len(piece) + PIECE_COST

    def on_message_complete(self) -> None:
        if not self.status:  # an informational answer
            return
        if self._complete and self._chunked and self.status not in WITHOUT_BODY:
            raise ValueError  # the end of a body in an answer to HEAD
        self._complete = True

    def _skip_informational(self, status: int) -> None:
        if status == 101:
            self._refuse("the upstream switched to another protocol")
        self._informational += 1
        if self._informational > MAX_INFORMATIONAL:
            self._refuse("the upstream sent too many informational answers")
        self._fields.clear()

    def _read_framing(self, version: str) -> None:
        """Length, chunked coding, and whether the connection may stay open (RFC 9112 §6.3, §9.3)."""
        persistent = version == "1.1"
        for name, value in self._fields:
            match len(name):
                case 14 if name.lower() == CONTENT_LENGTH:
                    self.size = int(value)
                case 10 if name.lower() == CONNECTION:
                    options = [option.strip() for option in value.lower().split(b",")]
                    if b"close" in options:
                        self._reusable = False
                    persistent = persistent or b"keep-alive" in options
                case 17 if name.lower() == TRANSFER_ENCODING:
                    if self._chunked or value.strip().lower() != b"chunked":
                        self._refuse("the answer came in a transfer coding that was not asked for")
                    self._chunked = True
                    persistent = persistent and version == "1.1"
        self._reusable = self._reusable and persistent

    def _refuse(self, phrase: str) -> None:
        self._why = phrase
        raise ValueError(phrase)

    # Within

    def _fetch(self) -> bytes:
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._unread = 0
        if self._paused:
            self._paused = False
            if self._parser is not None:
                self._connection.transport.resume_reading()
        return data

    async def _news(self) -> None:
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _time_is_up(self) -> None:
        what = "the answer was not complete" if self.status else "no answer"
        self.fail(NoAnswerInTime(f"{what} within {self._timeout_seconds:g} s", sent=True))

    def _finish(self, reusable: bool) -> None:
        self._connection.release(reusable=reusable and self.sent_all)
        self._settle()

    def _settle(self) -> None:
        self._timer.cancel()
        self._parser = None  # it refers to this object's methods: a ring, else
        if self._upload is not None:
            self._upload.cancel()
        self._wake()

    async def _upload_stopped(self) -> None:
        """The caller's body is not touched any more from here on."""
        if self._upload is not None and not self._upload.done():
            await asyncio.wait([self._upload])
