"""One connection to an upstream: bytes out, bytes in, and whose they are.

It is either idle in the pool, or in somebody's hand (`Line`), or serves one exchange, or is over.
Whatever arrives while no exchange is on makes it useless: it is dropped at once.
"""

import asyncio
import select
import ssl
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .exchange import Exchange
    from .pool import Pool

Key = tuple[str, str, int, str | None, str | None, str | None]
"""What makes two connections interchangeable: scheme, host, port and the TLS files."""


class Connection(asyncio.Protocol):
    """The event loop's side of a connection. `over` is True once nothing can be sent any more."""

    __slots__ = (
        "_poll",
        "_timer",
        "_until",
        "_writable",
        "exchange",
        "idle_since",
        "key",
        "loop",
        "over",
        "pool",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, key: Key, pool: "Pool", loop: asyncio.AbstractEventLoop) -> None:
        self.key = key
        self.pool = pool
        self.loop = loop
        self.exchange: Exchange | None = None
        self.idle_since = 0.0  # on the pool's clock
        self.over = False
        self._poll: select.poll | None = None
        self._until = 0.0  # by the loop's clock: what the exchange has left
        self._timer: asyncio.TimerHandle | None = None
        self._writable: asyncio.Future[None] | None = None  # set while the transport wants no more

    def usable(self) -> bool:
        """Whether the upstream has neither closed it nor said anything, as far as the kernel knows by now.

        Looking into the kernel closes the gap in which a close has come but the loop has not yet seen
        it. Not with TLS, where unread bytes may be session tickets.
        """
        if not self.over and self._poll is not None and self._poll.poll(0):
            self.drop()
        return not self.over

    def allow(self, seconds: float) -> None:
        """So long for its exchange, from now on. A timer that was set for an earlier one is left as it is,
        unless that is too late: most exchanges are over long before, so few timers are ever set."""
        self._until = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._until:
            self._set_timer(seconds)

    def release(self, *, reusable: bool) -> None:
        """The exchange is over and its answer complete."""
        self.exchange = None
        if self.over:
            return
        if self.transport.get_write_buffer_size():  # the request never got through whole
            self.drop()
        elif reusable:
            self.pool.put(self)
        else:
            self.close()

    def close(self) -> None:
        """Ends it in good manners."""
        self._end()
        self.transport.close()

    def drop(self) -> None:
        """Ends it at once, with what is not yet sent or read."""
        self._end()
        self.exchange = None
        self.pool.discard(self)
        self.transport.abort()
        self.resume_writing()

    def give_up(self) -> None:
        """Ends it at once, or as soon as it is made.

        Some event loops take back a connection that was being made without telling that it is lost.
        """
        self.over = True
        if hasattr(self, "transport"):
            self.drop()
            self.pool.closed(self)

    async def writable(self) -> None:
        """Waits until the transport takes more."""
        while self._writable is not None:
            await asyncio.shield(self._writable)

    async def caught_up(self) -> None:
        """Lets the loop read what has come before more is written.

        An upstream that refuses a body often answers and closes at once. A write after that fails, and
        a failed write makes the loop forget what it has not read yet: the answer.
        """
        for _ in range(2):  # one turn to notice, one to read; more would be of no use, reading may be paused
            if self._poll is None or not self._poll.poll(0):
                return
            await asyncio.sleep(0)

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.pool.opened(self)
        if self.over:
            self.drop()
            return
        if self.key[0] == "http":
            self._poll = select.poll()
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        if self.exchange is not None:
            self.exchange.feed(data)
        elif not self.over:
            self.drop()

    def eof_received(self) -> None:
        """Returns None: the transport closes itself."""
        self._end()
        self.pool.discard(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None and self._said_goodbye():
            exchange.end_of_stream()
        elif exchange is not None:
            exchange.hang_up()

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        self._timer = None
        if self.exchange is None:
            return
        rest = self._until - self.loop.time()
        if rest > 0:
            self._set_timer(rest)
        else:
            self.exchange.time_is_up()

    def _end(self) -> None:
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._poll = None  # the number of a closed socket may soon be another's

    def _said_goodbye(self) -> bool:
        """Whether the end of the stream is the upstream's own word, and not that of whoever cut the line.

        TLS has a message for it (RFC 9112 §9.8). asyncio and uvloop do not tell the two ends apart, but a
        further read does: it ends where the message has come and wants more where it has not.
        """
        tls: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return not tls.read(1)
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    def connection_lost(self, error: Exception | None) -> None:
        self._end()
        self.pool.closed(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.hang_up()
        self.resume_writing()

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
