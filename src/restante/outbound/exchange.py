"""One request on a connection, and the answer as it comes in: who waits, for what, and for how long.

There is one timer, the connection's, and for small requests no task. Whoever waits is `told`; a future is
made only where that is a task.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from ..core.errors import AnswerBroken, NoAnswerInTime
from ..core.model import Headers
from .connection import Connection
from .reader import AnswerReader
from .upload import upload

MAX_UNREAD = 64 * 1024  # body bytes that nobody fetched yet, above which reading pauses
SMALL_BODY = 64 * 1024  # goes out in one write with the head

CLOSED_HERE = "the connection was closed on this side"


class Exchange:
    """An `Answer`, and what its connection tells. `sent_all`: the request has gone out whole."""

    def __init__(self, connection: Connection, *, to_head: bool, timeout_seconds: float) -> None:
        self.sent_all = False
        self.told: Callable[[], None] | None = None  # called when something has come, or nothing will
        self._connection = connection
        self._reader = AnswerReader(to_head=to_head)
        self._error: Exception | None = None
        self._paused = False
        self._upload: asyncio.Task[None] | None = None
        self._timeout_seconds = timeout_seconds
        connection.exchange = self
        connection.allow(timeout_seconds)

    # The request

    def send(self, head: bytes, body: bytes) -> None:
        """Hands a whole request to the transport."""
        transport = self._connection.transport
        self.sent_all = True
        if len(body) <= SMALL_BODY:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)

    def send_stream(self, head: bytes, body: AsyncIterator[bytes], size: int | None) -> None:
        """Sends the head, then the body as it comes, even beside an answer that comes early."""
        self.sent_all = size == 0
        self._connection.transport.write(head)
        self._upload = self._connection.loop.create_task(upload(self, self._connection, body, size))

    # The answer, as the port promises it

    @property
    def status(self) -> int:
        return self._reader.status

    @property
    def headers(self) -> Headers:
        return self._reader.headers

    @property
    def size(self) -> int | None:
        return self._reader.size

    def whole(self, most: int) -> bytes | None:
        """The body, where all of it is there and none was fetched, and it is no longer than `most`; else
        None. Raises what the answer broke with."""
        if self._error is not None:
            raise self._error
        if self._upload is not None or not self._reader.complete or self._reader.received > most:
            return None
        return self._fetch()

    @property
    def at_rest(self) -> bool:
        """Whether nothing more is told of until somebody fetches."""
        return self._paused or self._reader.complete

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces as they come; what arrived before a break is given out before it is raised."""
        try:
            while True:
                if self._reader.unread:
                    yield self._fetch()
                elif self._reader.complete:
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
        if not self._reader.complete:
            self.fail(AnswerBroken(CLOSED_HERE, sent=True))
        self._reader.fetch()

    async def head(self) -> "Exchange":
        """Waits for the head of the final answer."""
        try:
            while not self._reader.status:
                if self._error is not None:
                    raise self._error
                await self._news()
        except BaseException:
            self.close()
            await self._upload_stopped()
            raise
        return self

    def fail(self, error: Exception) -> None:
        """Ends it with `error`, unless it has ended."""
        if not self._reader.complete and self._error is None:
            self._error = error
            self._connection.drop()
            self._settle()

    # What the connection tells

    def feed(self, data: bytes) -> None:
        """Bytes came from the upstream."""
        reader = self._reader
        try:
            reader.feed(data)
        except AnswerBroken as error:
            self.fail(error)
            return
        if reader.complete:
            self._finish()
            return
        if reader.unread > MAX_UNREAD and not self._paused:
            self._paused = True
            self._connection.transport.pause_reading()
        self._wake()

    def end_of_stream(self) -> None:
        """The upstream has said that nothing more will come."""
        try:
            self._reader.end()
        except AnswerBroken as error:
            self.fail(error)
        else:
            self._finish()

    def hang_up(self) -> None:
        """The connection is gone."""
        self.fail(self._reader.broken_off())

    def time_is_up(self) -> None:
        """What it was allowed is over."""
        what = "the answer was not complete" if self._reader.status else "no answer"
        self.fail(NoAnswerInTime(f"{what} within {self._timeout_seconds:g} s", sent=True))

    # Within

    def _fetch(self) -> bytes:
        if self._paused:
            self._paused = False
            self._connection.transport.resume_reading()
        return self._reader.fetch()

    async def _news(self) -> None:
        waiter: asyncio.Future[None] = self._connection.loop.create_future()
        self.told = lambda: None if waiter.done() else waiter.set_result(None)
        try:
            await waiter
        finally:
            self.told = None

    def _wake(self) -> None:
        if self.told is not None:
            self.told()

    def _finish(self) -> None:
        if self._paused:
            self._paused = False
            self._connection.transport.resume_reading()
        self._connection.release(reusable=self._reader.reusable and self.sent_all)
        self._settle()

    def _settle(self) -> None:
        self._reader.stop()
        if self._upload is not None:
            self._upload.cancel()
        self._wake()

    async def _upload_stopped(self) -> None:
        """The caller's body is not touched any more from here on."""
        if self._upload is not None and not self._upload.done():
            await asyncio.wait([self._upload])
