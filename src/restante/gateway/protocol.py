"""One connection to us: uvicorn's protocol on httptools, with what a gateway needs done otherwise.

- a malformed request is answered in JSON, after whatever came before it on the connection;
- a head has a limit, and a time in which it must come;
- an offer to upgrade (`h2c`, which some HTTP clients make by default) is passed over, and the request
  behind it is served as if the offer had not been made, body included.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ..core.headers import first
from .call import CLOSE, CUT, LEAVING, UNBUFFERED, WHOLE, BrokenOff, Scope, Send
from .direct import Direct
from .problems import UNKNOWN, Problem, as_message
from .reply import Reply

MAX_HEAD = 64 * 1024

FIRST_REQUEST_SECONDS = 1.0
"""What a connection that has not asked anything yet is given when the server ends."""

log = logging.getLogger("restante.gateway.http")
log.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], BrokenOff)))

MALFORMED = Problem(400, "Bad request", "This is not a valid HTTP request.")
HEAD_TOO_LARGE = Problem(431, "Head too large", f"The request's head is over the limit of {MAX_HEAD} bytes.")
CROWDED = Problem(
    503, "Too many connections", "Too many connections are open; try again soon.", retry_after_seconds=5
)


class State(ServerState):
    """What connections and server share. `deserted` is set whenever the last connection has gone."""

    def __init__(self, *, max_connections: int | None = None) -> None:
        super().__init__()
        self.deserted = asyncio.Event()
        self.max_connections = max_connections


class Unheard:
    """In place of an event that nobody waits for."""

    def set(self) -> None: ...


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = log
        self.head_size: int | None = 0  # None: the head is complete
        self.head_is_new = False
        self.passed_over = False  # an offer to upgrade
        self.lost = False
        self.idle_since = 0.0  # by the loop's clock; older where the timer was set later
        self.last = False  # the server ends: whatever is asked now is the last on this connection
        self.told: Callable[[], None] | None = None  # when the connection is lost
        self.direct: Callable[[str, bytes, Scope], Direct | None] | None = getattr(self.app, "direct", None)
        # One for all requests, and naming none: a request that led to itself would be garbage that
        # only the collector finds.
        self.extensions: dict[str, Any] = {
            LEAVING: self.leaving,
            UNBUFFERED: self.unbuffered,
            WHOLE: answer_whole,
            CUT: self.cut,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait_for_head()
        most = self.server_state.max_connections if isinstance(self.server_state, State) else None
        if most is not None and len(self.connections) > most:
            self.refuse(CROWDED)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.passed_over:
                self._feed_again(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.refuse(MALFORMED)
        if self.head_size is None:
            if isinstance(self.cycle, RequestResponseCycle) and not self.cycle.response_complete:
                self._unset_keepalive_if_required()
        elif self.head_is_new:  # what came before it in `data` is not to be counted
            self.head_is_new = False
        else:
            self.head_size += len(data)
            if self.head_size > MAX_HEAD:
                self.refuse(HEAD_TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.lost = True
        if self.told is not None:
            self.told()
        # Nor does a connection lead to itself once it is lost: it and its requests are gone at once.
        self.cycle = self.scope = self.told = None  # type: ignore[assignment]
        self.extensions = {}
        self.pipeline.clear()
        if not self.connections and isinstance(self.server_state, State):
            self.server_state.deserted.set()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_size = 0
        self.head_is_new = True

    def on_headers_complete(self) -> None:
        self.head_size = None
        if self.direct is not None and (self.cycle is None or self.cycle.response_complete):
            cycle = self._directly()
            if cycle is not None:
                cycle.keep_alive = not self.last
                self.cycle = cycle  # type: ignore[assignment]
                return
        if self.parser.should_upgrade():
            offer = first(self.headers, b"upgrade")
            websocket = offer == b"websocket" and self.parser.get_method() == b"GET"
            if offer is not None and not websocket:
                self.passed_over = True
                return
        super().on_headers_complete()
        if self.last:
            self.cycle.keep_alive = False
        self.scope["extensions"] = self.extensions

    def on_message_complete(self) -> None:
        if not self.passed_over:
            super().on_message_complete()
            if isinstance(self.cycle, DirectCycle):
                self.cycle.start()

    def _directly(self) -> "DirectCycle | None":
        """Without a task, where that can be; None: as all requests."""
        parser = self.parser
        if (
            self.expect_100_continue
            or self.flow.write_paused
            or parser.get_http_version() != "1.1"
            or parser.should_upgrade()
            or not parser.should_keep_alive()
        ):
            return None
        assert self.direct is not None
        direct = self.direct(parser.get_method().decode("ascii"), self.url, cast(Scope, self.scope))
        return None if direct is None else DirectCycle(self, direct)

    def send_400_response(self, msg: str) -> None:
        self.refuse(MALFORMED)

    def shutdown(self, idle_seconds: float = 0.0) -> None:
        """The server ends: after the request that is being answered, or where none is after the next one, if
        that comes within `idle_seconds`. A connection that is too new to have asked anything gets a moment
        in any case: its first request is likely on the way."""
        self.last = True
        if self.cycle is None:
            idle_seconds = max(idle_seconds, FIRST_REQUEST_SECONDS)
        elif not self.cycle.response_complete:
            self.cycle.keep_alive = False
            return
        self.loop.call_later(idle_seconds, self._end_unasked)

    def _end_unasked(self) -> None:
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()

    def refuse(self, problem: Problem) -> None:
        """Answers without the application, and closes. Earlier requests are answered first."""
        cycle = self.cycle
        if self.transport.is_closing():
            return
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if cycle is None or cycle.response_complete or not (cycle.response_started or self.pipeline):
            reply = as_message(problem, status=UNKNOWN)
            head = b"".join(b"%b: %b\r\n" % pair for pair in [*reply.headers, (b"connection", b"close")])
            self.transport.write(b"HTTP/1.1 %d \r\n%b\r\n%b" % (reply.code, head, reply.body))
        self.transport.close()

    def unbuffered(self, on: bool) -> None:
        """See `call.UNBUFFERED`."""
        if not self.transport.is_closing():
            self.transport.set_write_buffer_limits(0 if on else None)

    def cut(self) -> None:
        """See `call.CUT`."""
        self.transport.abort()

    def leaving(self, told: Callable[[], None] | None) -> bool:
        """See `call.LEAVING`."""
        self.told = told
        if told is not None and not self.lost:
            self.flow.resume_reading()  # else a lost connection is not seen
        return not self.lost

    def on_direct_response_complete(self) -> None:
        """As `on_response_complete`, but the time that the connection may be idle is not set anew."""
        if self.pipeline or self.timeout_keep_alive_task is None or self.flow.read_paused:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self.idle_since = self.loop.time()

    def timeout_keep_alive_handler(self) -> None:
        """The connection may have been idle for too long: since the timer was set it was perhaps used."""
        if self.transport.is_closing():
            return
        rest = self.idle_since + self.timeout_keep_alive - self.loop.time()
        if self.cycle is not None and not self.cycle.response_complete:
            rest = self.timeout_keep_alive
        if rest > 0:
            self.timeout_keep_alive_task = self.loop.call_later(rest, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _wait_for_head(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _feed_again(self, rest: bytes) -> None:
        """The same request without the offer; a parser that saw one takes the rest for another protocol."""
        self.passed_over = False
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % pair for pair in self.headers if pair[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join([*lines, b"", rest]))


class DirectCycle:
    """One request that needs no task, and its answer: what uvicorn's protocol takes for a cycle."""

    __slots__ = (
        "body",
        "direct",
        "disconnected",
        "keep_alive",
        "more_body",
        "protocol",
        "response_complete",
        "response_started",
    )

    message_event = Unheard()

    def __init__(self, protocol: Protocol, direct: Direct) -> None:
        self.protocol = protocol
        self.direct = direct
        self.body = b""
        self.more_body = True
        self.keep_alive = True
        self.disconnected = self.response_started = self.response_complete = False

    def start(self) -> None:
        """The body is there."""
        self.direct.start(bytes(self.body), self.answer)

    def answer(self, reply: Reply) -> None:
        """Sends it, unless the client has left."""
        if self.disconnected:
            return
        self.response_started = self.response_complete = True
        protocol = self.protocol
        headers = reply.headers if self.keep_alive else [*reply.headers, CLOSE]
        head = b"\r\n".join(map(b": ".join, headers))
        protocol.transport.write(b"%b%b\r\n\r\n%b" % (STATUS_LINE[reply.code], head, reply.body))
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_direct_response_complete()


def answer_whole(send: Send, code: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
    """See `call.WHOLE`. The answer has a `Content-Length` that fits, and field names in lower case.

    What uvicorn does in two steps, with checks for answers that may be anything, in one for ours: a
    third of the processor time of an accept goes into them.
    """
    cycle: RequestResponseCycle = send.__self__  # type: ignore[attr-defined]
    if cycle.disconnected or cycle.flow.write_paused or cycle.response_started or not cycle.keep_alive:
        return False
    head = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    if head.count(b"\n") != len(headers) or head.count(b"\r") != len(headers):
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[code], head, body))
    cycle.message_event.set()
    cycle.on_response()
    return True
