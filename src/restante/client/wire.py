"""HTTP/1.1 for one connection, without the connection (h11): bytes to send, bytes that came.

`ask` and `more` are generators: they yield the bytes to send, or None where the next ones that come are
wanted, and are sent these (b"" at the end). So the two drivers do nothing but send and receive.
"""

from collections.abc import Generator
from typing import TypeVar

import h11

from .address import Address
from .answer import Ask, Headers, Response
from .errors import NotReached, NotUnderstood

MAX_HEAD = 256 * 1024
"""Bytes of an answer's head."""

T = TypeVar("T")
Bytes = Generator[bytes | None, bytes | None, T]

HUNG_UP = (BrokenPipeError, ConnectionResetError)
"""While sending. A server that does not want to read all of it may have said why, so it is read."""


class Wire:
    """The state of one connection."""

    def __init__(self, address: Address, key: str | None, max_content: int) -> None:
        self.hung_up = False
        """Set by who sends: the server took no more of it, and may have said why."""
        self._address = address
        self._key = key
        self._max_content = max_content
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)

    def ask(self, ask: Ask) -> Bytes[Response]:
        """The answer. Raises `NotReached`, `NotUnderstood`; `ValueError` for what no request can hold."""
        yield self._request(ask)
        event = yield from self._event()
        while isinstance(event, h11.InformationalResponse):
            event = yield from self._event()
        assert isinstance(event, h11.Response)
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers.raw_items()
        ]
        head = Response(event.status_code, Headers(pairs), reason=event.reason.decode("latin-1"))
        return head if ask.stream else (yield from self._whole(head))

    def _whole(self, head: Response) -> Bytes[Response]:
        content = bytearray()
        while piece := (yield from self.more()):
            content += piece
            if len(content) > self._max_content:
                raise NotUnderstood(f"the answer is over {self._max_content} bytes; see max_content")
        return Response(head.status_code, head.headers, bytes(content), head.reason)

    def more(self) -> Bytes[bytes]:
        """The next piece of the answer; b"" at its end."""
        event = yield from self._event()
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    def reusable(self) -> bool:
        """Whether another request may follow on this connection; it is ready for it then."""
        if self.hung_up or not self._http.our_state is self._http.their_state is h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def lost(self, why: str) -> NotReached:
        """What is said of a connection that broke."""
        return NotReached(f"{self._address.url}: the answer broke off: {why}")

    def _request(self, ask: Ask) -> bytes:
        given = {name.lower() for name, _ in ask.headers}
        pairs = [] if "host" in given else [("Host", self._address.authority)]
        if self._key is not None:
            pairs.append(("Restante-Key", self._key))
        pairs += ask.headers
        if ask.content is not None or ask.method not in ("GET", "HEAD"):
            pairs.append(("Content-Length", str(len(ask.content or b""))))
        try:
            request = h11.Request(
                method=ask.method.encode("ascii"),
                target=(self._address.base + ask.target).encode("ascii"),
                headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in pairs],
            )
        except h11.LocalProtocolError:
            raise ValueError("the method, the path or a header holds what no HTTP request can") from None
        sent = [self._http.send(request)]
        if ask.content:
            sent.append(self._http.send(h11.Data(data=ask.content)))
        sent.append(self._http.send(h11.EndOfMessage()))
        return b"".join(piece for piece in sent if piece)

    def _event(self) -> Bytes[object]:
        try:
            while True:
                event = self._http.next_event()
                if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    raise self.lost("the connection was lost")
                if event is not h11.NEED_DATA:
                    return event
                self._http.receive_data((yield None) or b"")
        except h11.RemoteProtocolError:
            raise self.lost("the connection was lost, or it is not HTTP") from None
