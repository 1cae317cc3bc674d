"""What `restante bench` asks of a server, and how long each answer takes.

Each client is a connection with one request at a time. They cost little beside what they measure; but the
machine that they run on pays for them.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

import httptools
import msgspec

from ..client.address import Address

PATIENCE_SECONDS = 60.0
"""For one answer; longer than a server holds any back."""

WAIT = "Prefer: wait=20"
FIRST = 20
"""Lives that do not count: in the first ones everything is new."""

MAX_SUBMITS = 2_000_000
"""How many a run may make."""


class Broken(Exception):
    """A connection was lost, or what came over it is no HTTP."""


class Answer(msgspec.Struct):
    code: int
    body: bytes


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    async def ask(self, request: bytes) -> Answer:
        """Raises `Broken`, `TimeoutError`."""
        if self._transport is None or self._transport.is_closing():
            raise Broken
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no asyncio.Transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(None)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end(None)

    def on_message_begin(self) -> None:
        self._body = []

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._end(Answer(self._parser.get_status_code(), b"".join(self._body)))
        self._parser = httptools.HttpResponseParser(self)  # of an answer that ends with its connection too

    def _end(self, answer: Answer | None) -> None:
        waiting, self._answer = self._answer, None
        if waiting is None or waiting.done():
            return
        if answer is None:
            waiting.set_exception(Broken())
        else:
            waiting.set_result(answer)


class Target(msgspec.Struct, frozen=True):
    """Where requests go, and what is sent."""

    at: Address
    method: str
    path: str
    body: bytes
    headers: tuple[str, ...]

    def submit(self) -> bytes:
        return self.request(self.method, self.path, self.body, *self.headers)

    def result(self, id: str) -> bytes:
        return self.request("GET", f"/async/result/{id}", b"", WAIT, *self.headers)

    def request(self, method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
        lines = [f"{method} {self.at.base}{path} HTTP/1.1", f"Host: {self.at.authority}", *headers]
        if method != "GET":
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Clients:
    """So many connections, open for a block. Raises `OSError`."""

    def __init__(self, target: Target, count: int) -> None:
        self._target, self._count = target, count
        self._open = AsyncExitStack()
        self.all: list[Client] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        at = self._target.at
        for _ in range(self._count):
            _, client = await loop.create_connection(Client, at.host, at.port, ssl=at.secure or None)
            self._open.callback(client.close)
            self.all.append(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()


class Spread(msgspec.Struct):
    """Of so many durations, in milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float


class Accepts(msgspec.Struct):
    per_second: float
    p50_ms: float
    p99_ms: float
    count: int
    refused: int
    """Answered, but not accepted (429, 503)."""


class Lives(msgspec.Struct):
    per_second: float
    seconds: float
    """From the first submit to the last result."""


class Found(msgspec.Struct):
    """What a run measured. `answered`: the code of the last life's result."""

    answered: int
    latency: Spread
    accept: Accepts
    life: Lives


async def measure(target: Target, *, connections: int, seconds: float, lives: int) -> Found:
    """One client's lives, one after the other, and then as many submits as `connections` make in `seconds`.
    Raises `OSError`, `Broken`, `TimeoutError`."""
    async with Clients(target, 1) as one:
        answered, latency = await low(one.all[0], target, lives)
    async with Clients(target, connections) as many:
        accept, life = await high(many.all, target, seconds)
    return Found(answered, latency, accept, life)


async def low(client: Client, target: Target, count: int) -> tuple[int, Spread]:
    """From the first byte of a submit to the last one of its result, when nothing else is asked; and the code
    of the last one's result."""
    times = []
    code = 0
    for number in range(count + FIRST):
        begun = time.perf_counter()
        answer = await client.ask(target.submit())
        code = (await ended(client, target, id_of(answer))).code
        if number >= FIRST:
            times.append(time.perf_counter() - begun)
    return code, spread(times)


async def high(clients: Sequence[Client], target: Target, seconds: float) -> tuple[Accepts, Lives]:
    request = target.submit()
    times: list[float] = []
    refused = 0
    last: dict[Client, str] = {}
    begun = time.perf_counter()

    async def submit(client: Client) -> None:
        nonlocal refused
        answer: Answer | None = None
        while (at := time.perf_counter()) - begun < seconds and len(times) < MAX_SUBMITS:
            said = await client.ask(request)
            if 200 <= said.code < 300:
                answer = said
                times.append(time.perf_counter() - at)
            else:
                refused += 1
                await asyncio.sleep(0.01)  # being refused is no race
        if answer is not None:
            last[client] = id_of(answer)

    await asyncio.gather(*map(submit, clients))
    took = time.perf_counter() - begun
    # Work is taken in its order: when the last of each client has ended, so have those before it.
    await asyncio.gather(*(ended(client, target, id) for client, id in last.items()))
    whole = time.perf_counter() - begun
    found = spread(times)
    return (
        Accepts(round(len(times) / took, 1), found.p50_ms, found.p99_ms, len(times), refused),
        Lives(round(len(times) / whole, 1), round(whole, 3)),
    )


async def ended(client: Client, target: Target, id: str) -> Answer:
    """The answer, once there is one: whatever it says."""
    while (answer := await client.ask(target.result(id))).code in (425, 503):
        pass
    return answer


def id_of(answer: Answer) -> str:
    """Raises `Broken` where it is no accept."""
    try:
        document: Any = msgspec.json.decode(answer.body)
        return str(document["request_id"])
    except (msgspec.DecodeError, KeyError, TypeError):
        raise Broken from None


def spread(seconds: Sequence[float]) -> Spread:
    ordered = sorted(seconds)
    if not ordered:
        return Spread(0, 0.0, 0.0)
    p50, p99 = (round(ordered[int(len(ordered) * part)] * 1000, 3) for part in (0.5, 0.99))
    return Spread(len(ordered), p50, p99)
