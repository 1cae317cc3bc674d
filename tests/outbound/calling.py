"""Short ways to make a call in these tests."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from restante.core.model import Headers
from restante.core.policy import Upstream
from restante.outbound import HTTPSender
from restante.outbound.exchange import Exchange
from restante.outbound.sender import HTTPLine

HOST: Headers = ((b"Host", b"upstream.test"),)


@dataclass(frozen=True)
class Got:
    status: int
    headers: Headers
    size: int | None
    body: bytes


async def line_to(
    sender: HTTPSender,
    upstream: Upstream,
    *,
    max_idle_seconds: float | None = None,
    timeout_seconds: float = 5,
) -> HTTPLine:
    return await sender.connect(upstream, max_idle_seconds=max_idle_seconds, timeout_seconds=timeout_seconds)


async def begin(
    sender: HTTPSender,
    upstream: Upstream,
    method: str = "GET",
    target: str = "/",
    *,
    headers: Headers = HOST,
    body: bytes | AsyncIterator[bytes] = b"",
    size: int | None = 0,
    timeout_seconds: float = 5,
) -> Exchange:
    """Connects and sends; the answer's body is not read yet."""
    if isinstance(body, bytes) and size == 0:
        size = len(body)
    line = await line_to(sender, upstream)
    return await line.send(method, target, headers, body, size=size, timeout_seconds=timeout_seconds)


async def call(
    sender: HTTPSender, upstream: Upstream, method: str = "GET", target: str = "/", **how: Any
) -> Got:
    """One whole call; `how` as in `begin`."""
    answer = await begin(sender, upstream, method, target, **how)
    data = b"".join([piece async for piece in answer.body()])
    return Got(answer.status, answer.headers, answer.size, data)


async def pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
