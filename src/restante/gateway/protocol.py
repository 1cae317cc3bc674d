"""One connection to us: uvicorn's protocol on httptools, with what a gateway needs done otherwise.

- a malformed request is answered in JSON, after whatever came before it on the connection; so is one that
  two readers might take for different requests (`form`);
- a head has a limit, and a time in which it must come; a body has a least speed while we wait for it;
- trailers are dropped: they are no header fields, and never become any;
- an offer to upgrade (`h2c`, which some HTTP clients make by default) is passed over, and the request
  behind it is served as if the offer had not been made, body included.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NoReturn

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ..core.clock import SECOND
from ..core.errors import BadRequest
from ..core.headers import first
from ..core.policy import Connections
from .call import CUT, LEAVING, UNBUFFERED, WHOLE, BrokenOff, Ends
from .crowd import Crowd
from .cycle import PREPARE, UNHEARD, DirectCycle, answer_whole
from .flow import Flow, Queue, Signal
from .form import origin_form
from .problems import UNKNOWN, Problem, as_message, problem_of
from .state import State

MAX_PIPELINED = 100
"""Requests that wait for the ones before them on the same connection."""

BODY_BYTES = 4096
"""Of a body so much must come in each `body_timeout`, which is 136 bytes a second. A span in which we do not
read, because the upstream or the disk is slower, does not count."""

FIRST_REQUEST_SECONDS = 1.0
"""What a connection that has not asked anything yet is given when the server ends."""

log = logging.getLogger("restante.gateway.http")
MEANT = (BrokenOff, asyncio.CancelledError)  # also by the end of the time to shut down
log.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], MEANT)))

MALFORMED = Problem(400, "Bad request", "This is not a valid HTTP request.")
HEAD_TOO_LARGE = Problem(431, "Head too large", "The request's head is over the limit (max_head).")
TARGET_TOO_LONG = Problem(414, "Target too long", "The path and query are over the limit (max_target).")
HEAD_TOO_SLOW = Problem(408, "Head too slow", "The request's head did not come in time.")
BODY_TOO_SLOW = Problem(408, "Body too slow", "The request's body did not come in time.")
TOO_MANY = Problem(
    429, "Too many requests at once", f"More than {MAX_PIPELINED} requests wait on this connection."
)
CROWDED = Problem(
    503, "Too many connections", "Too many connections are open; try again soon.", retry_after_seconds=5
)


WHOLE_MESSAGE = -1


class Protocol(HttpToolsProtocol):
    """One connection. Most of them wait for something, so what each of them weighs counts."""

    # More fields than 30 in an instance's dictionary, and no two instances share its keys any more.
    __slots__ = (
        "body_bytes",
        "body_came",
        "coming",
        "crowd",
        "direct",
        "ends",
        "extensions",
        "fault",
        "head_is_new",
        "head_size",
        "idle_since",
        "last",
        "limits",
        "lost",
        "not_body",
        "passed_over",
        "patience",
        "since",
        "told",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = log
        self.pipeline = Queue()  # type: ignore[assignment]
        state = self.server_state
        if not isinstance(state, State):
            state = State(Connections(), Crowd())
        self.limits, self.crowd = state.limits, state.crowd
        self.head_size: int | None = 0  # None: the head is complete, and WHOLE_MESSAGE: so is the body
        self.head_is_new = False
        self.coming = 0  # bytes that are being parsed
        self.fault = MALFORMED  # what to say where the parser stops
        self.body_came = False  # in the bytes that were parsed last
        self.body_bytes = 0  # since `since`
        self.not_body = 0  # bytes since the last one of the body
        self.since: float | None = None  # when the head, or the span of the body, began that is not all there
        self.patience: asyncio.TimerHandle | None = None
        self.passed_over = False  # an offer to upgrade
        self.lost = False
        self.idle_since = 0.0  # by the loop's clock; older where the timer was set later
        self.last = False  # the server ends: whatever is asked now is the last on this connection
        self.told: Callable[[], None] | None = None  # when the connection is lost
        self.direct: PREPARE | None = getattr(self.app, "direct", None)
        self.ends: Ends = {}
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
        self.flow = Flow(self.transport)
        self.ends = {"client": self.client, "scheme": self.scheme}
        self._wait_for_head()
        most = self.limits.most
        if not self.crowd.enter() or (most is not None and len(self.connections) > most):
            self.refuse(CROWDED)

    def data_received(self, data: bytes) -> None:
        self.coming = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.passed_over:
                self._feed_again(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.refuse(self.fault)
        size = self.head_size
        if size is None or size == WHOLE_MESSAGE:
            if isinstance(self.cycle, RequestResponseCycle) and not self.cycle.response_complete:
                self._unset_keepalive_if_required()
            if size is None:
                self._body_goes_on(len(data))
        elif self.head_is_new:  # what came before it in `data` is not to be counted
            self.head_is_new = False
            self._begin_waiting()
        else:
            self.head_size = size + len(data)
            if self.head_size > self.limits.head:
                self.refuse(HEAD_TOO_LARGE)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends nothing more; most have left. A submit that is whole is stored all the same, and
        answered: whether somebody is there to hear it is not known."""
        cycle = self.cycle
        if not isinstance(cycle, DirectCycle) or cycle.more_body or cycle.response_complete or self.pipeline:
            return None
        cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None
        self.lost = True
        self.crowd.leave()
        if self.told is not None:
            self.told()
        # Nor does a connection lead to itself once it is lost: it and its requests are gone at once.
        self.cycle = self.scope = self.told = None  # type: ignore[assignment]
        self.extensions = {}
        self.pipeline.clear()
        if not self.connections and isinstance(self.server_state, State):
            self.server_state.deserted.set()

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.head_size = 0
        self.head_is_new = True

    def on_headers_complete(self) -> None:
        if self.coming + self.head_size > self.limits.target:  # type: ignore[operator]
            self._check_size()
        self.since = None
        if self.direct is not None and (self.cycle is None or self.cycle.response_complete):
            cycle = self._directly()
            if cycle is not None:
                cycle.keep_alive = not self.last
                cycle.protocol = self
                self.cycle = cycle  # type: ignore[assignment]
                self.head_size = None
                return
        if self.parser.should_upgrade():
            offer = first(self.headers, b"upgrade")
            websocket = offer == b"websocket" and self.parser.get_method() == b"GET"
            if offer is not None and not websocket:
                self.passed_over = True
                return
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(TOO_MANY)
        try:
            self.url = origin_form(self.url, self.parser.get_http_version(), self.headers)
        except BadRequest as error:
            self._stop(problem_of(error))
        self._make_scope()
        super().on_headers_complete()
        self.cycle.message_event = Signal()  # type: ignore[assignment]
        self.head_size = None
        self.headers = UNHEARD  # what is still to come are trailers
        if self.last or self.parser.should_upgrade():  # what is behind an offer to upgrade is not HTTP
            self.cycle.keep_alive = False
        self.scope["extensions"] = self.extensions

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        self.body_came = True
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        self.head_size = WHOLE_MESSAGE
        if self.passed_over:
            return
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()
            if isinstance(cycle, DirectCycle):
                cycle.start()

    def _check_size(self) -> None:
        """Heads that came whole, in bytes that hold more than one could be."""
        if len(self.url) > self.limits.target:
            self._stop(TARGET_TOO_LONG)
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > self.limits.head:
            self._stop(HEAD_TOO_LARGE)

    def _stop(self, problem: Problem) -> NoReturn:
        """Makes the parser go no further, for this reason."""
        self.fault = problem
        raise ValueError(problem.title)

    def _directly(self) -> DirectCycle | None:
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
        return self.direct(parser.get_method().decode("ascii"), self.url, self.headers, self.ends)

    def _make_scope(self) -> None:
        """For a request that is served by a task. uvicorn does so, and more, when a message begins."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers

    def _body_goes_on(self, size: int) -> None:
        """`size` bytes have come, and the body is not at its end."""
        if self.since is None:
            self._begin_waiting()
        if self.body_came:
            self.body_came = False
            self.not_body = 0
            self.body_bytes += size
        else:
            self.not_body += size
            if self.not_body > self.limits.head:
                self.refuse(HEAD_TOO_LARGE)

    def _begin_waiting(self) -> None:
        """For the rest of a head or a body of which something has come."""
        self.since = self.loop.time()
        self.body_bytes = self.not_body = 0
        if self.patience is None:
            self.patience = self.loop.call_later(self._span(), self._lose_patience)

    def _span(self) -> float:
        limits = self.limits
        return (limits.body_timeout if self.head_size is None else limits.head_timeout) / SECOND

    def _lose_patience(self) -> None:
        """A span is over. That of what is awaited now? And who kept whom waiting?"""
        self.patience = None
        since, cycle, in_body = self.since, self.cycle, self.head_size is None
        if self.head_size == WHOLE_MESSAGE or since is None or self.transport.is_closing():
            return
        rest = since + self._span() - self.loop.time()
        if rest > 0:
            self.patience = self.loop.call_later(rest, self._lose_patience)
        elif (
            self.flow.read_paused
            or (in_body and self.body_bytes >= BODY_BYTES)
            or (in_body and isinstance(cycle, RequestResponseCycle) and cycle.waiting_for_100_continue)
        ):
            self._begin_waiting()
        else:
            self.refuse(BODY_TOO_SLOW if in_body else HEAD_TOO_SLOW)

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
        answered = cycle is not None and cycle.response_complete and self.head_size is None  # before its end
        if not answered and (
            cycle is None or cycle.response_complete or not (cycle.response_started or self.pipeline)
        ):
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
