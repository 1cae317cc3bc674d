"""How upstreams are spoken to."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from ..core.model import Headers
from ..core.policy import Upstream


class Answer(Protocol):
    """An upstream's answer whose head has come. Its body is read once, piece by piece."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers:
        """As they came, hop-by-hop ones included."""
        ...

    @property
    def size(self) -> int | None:
        """The body's announced length (0 where there can be none), None for "until the end"."""
        ...

    def body(self) -> AsyncIterator[bytes]:
        """The pieces; raises `UpstreamError` where it breaks off. Transfer coding is undone, nothing else."""
        ...

    def close(self) -> None:
        """Lets go: the connection is reused if the answer was read to its end, else closed."""
        ...


class SmallAnswer(Answer, Protocol):
    """An answer of which nobody waits for the head."""

    told: Callable[[], None] | None
    """Called whenever something has come, or nothing will."""

    def whole(self, most: int) -> bytes | None:
        """The body, where all of it is there and none was read, and it is no longer than `most` bytes; else
        None. Raises `UpstreamError` where the answer broke off."""
        ...

    @property
    def at_rest(self) -> bool:
        """Whether nothing more is told of until the body is read."""
        ...


class Line(Protocol):
    """A connection in hand, on which nothing has been sent yet."""

    async def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes],
        *,
        size: int | None,
        timeout_seconds: float,
    ) -> Answer:
        """Sends one request and waits for the head of its answer.

        `headers` are written as they are, in order, and must hold no framing: `Content-Length` (from
        `size`) or chunked coding (where size is None) is added here; with size 0 and no need for a
        length (GET, HEAD …) none is. The timeout counts from here to the last byte of the answer.
        Raises `UpstreamError`, whose `sent` is False only if not one byte was written.
        """
        ...

    def close(self) -> None:
        """Gives the unused line back."""
        ...


class ReadyLine(Line, Protocol):
    """A line for whoever waits in no task."""

    def begin(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes,
        *,
        size: int,
        timeout_seconds: float,
    ) -> SmallAnswer:
        """`send`, before anything of the answer is there."""
        ...


class Sender(Protocol):
    """Speaks HTTP to upstreams. It never repeats a request, follows no redirect, decodes no body."""

    async def connect(
        self, upstream: Upstream, *, max_idle_seconds: float | None, timeout_seconds: float
    ) -> Line:
        """A connection: an idle one that was not idle for longer than given, else a new one.

        Raises `Unreachable`.
        """
        ...

    def at_hand(self, upstream: Upstream, *, max_idle_seconds: float | None) -> ReadyLine | None:
        """An idle connection that was not idle for longer than given; None: there is none."""
        ...

    async def close(self) -> None: ...
