"""What stands for uvicorn's cycle: requests served without a task, and answers that go out in one write."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from .call import CLOSE, Ends, Fields, Send
from .reply import Reply

if TYPE_CHECKING:
    from .protocol import Protocol


PREPARE = Callable[[str, bytes, Fields, Ends], "DirectCycle | None"]
"""Takes a request's method, target and header fields, and what is known of the connection."""


class Unheard:
    """In place of an event that nobody waits for, and of a list that nobody reads."""

    def set(self) -> None: ...

    def append(self, pair: tuple[bytes, bytes]) -> None: ...


UNHEARD: Any = Unheard()


class DirectCycle:
    """One request that needs no task, and its answer: what uvicorn's protocol takes for a cycle. Its
    `protocol` is set before anything of its body comes."""

    __slots__ = (
        "body",
        "disconnected",
        "keep_alive",
        "more_body",
        "protocol",
        "response_complete",
        "response_started",
    )

    message_event = Unheard()
    protocol: "Protocol"

    def __init__(self) -> None:
        self.body = b""
        self.more_body = True
        self.keep_alive = True
        self.disconnected = self.response_started = self.response_complete = False

    def start(self) -> None:
        """The body is there. What follows calls `answer`."""
        raise NotImplementedError

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
