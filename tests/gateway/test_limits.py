"""What a connection may cost: heads, targets, trailers, time, requests at once, connections."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from restante.core.clock import MILLISECOND
from restante.core.policy import Connections
from restante.gateway import make_server
from restante.gateway.crowd import Crowd
from restante.gateway.protocol import BODY_BYTES, MAX_PIPELINED

from .house import House
from .upstream import Talker
from .wire import Wire

MAX_HEAD, MAX_TARGET = Connections().head, Connections().target

HEAD = b"POST /async/x HTTP/1.1\r\nHost: h\r\n"


@asynccontextmanager
async def serving(
    house: House, crowd: Crowd | None = None, **limits: int
) -> AsyncIterator[Callable[[], "asyncio.Future[Wire]"]]:
    """The same gateway behind a server with limits of its own; what it gives opens connections."""
    app = house.servers[0].config.app
    server = make_server(app, grace_seconds=1, limits=Connections(**limits), crowd=crowd)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    running = asyncio.create_task(server.serve([listener]))
    port = listener.getsockname()[1]
    try:
        yield lambda: asyncio.ensure_future(house.wire(port))
    finally:
        for wire in house.wires:
            wire.leave()
        server.stop()
        await running


@pytest.mark.parametrize("size", [MAX_HEAD + 1, 3 * MAX_HEAD])
async def test_a_head_over_its_limit_is_431_however_it_comes(house: House, size: int) -> None:
    wire = await house.wire()
    wire.write(HEAD + b"X: " + b"x" * size + b"\r\nContent-Length: 2\r\n\r\n{}")
    seen = await wire.answer()
    assert (seen.code, list(seen.json), seen.header("connection")) == (431, ["message"], "close")
    assert house.store.queued == 0


@pytest.mark.parametrize("path", [b"/async/", b"/x/", b"/-/transactions?status="])
async def test_a_target_over_its_limit_is_414(house: House, path: bytes) -> None:
    for size, codes in (
        (MAX_TARGET, (200, 202, 400)),
        (MAX_TARGET + 1, (414,)),
        (4 * MAX_TARGET, (414, 431)),
    ):
        wire = await house.wire()
        method = b"GET" if path.startswith(b"/-/") else b"POST"
        target = path + b"x" * (size - len(path))
        wire.write(b"%b %b HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" % (method, target))
        seen = await wire.answer()
        assert seen.code in codes
        if seen.code not in (200, 202):
            assert "message" in seen.json or "detail" in seen.json
    assert house.store.queued == (1 if path == b"/async/" else 0)


@pytest.mark.parametrize(
    "endless",
    [b"X-Trailer: " + b"x" * 1000 + b"\r\n", b"x" * 1000],
    ids=["trailers", "one trailer"],
)
async def test_trailers_have_a_limit_and_are_kept_nowhere(house: House, endless: bytes) -> None:
    wire = await house.wire()
    wire.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: " * (endless[0] == 120))
    waiting = asyncio.create_task(wire.answer())
    sent = 0
    while not waiting.done() and sent < 100 * MAX_HEAD:
        wire.write(endless * 20)
        sent += len(endless) * 20
        await asyncio.sleep(0)
    assert (await waiting).code == 431
    assert house.store.queued == 0


async def test_a_chunk_extension_has_a_limit(house: House) -> None:
    wire = await house.wire()
    wire.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;x=")
    waiting = asyncio.create_task(wire.answer())
    sent = 0
    while not waiting.done() and sent < 100 * MAX_HEAD:
        wire.write(b"x" * 20_000)
        sent += 20_000
        await asyncio.sleep(0)
    assert (await waiting).code == 431


@pytest.mark.parametrize("begun", [b"P", HEAD, HEAD + b"X: y"])
async def test_a_head_that_does_not_come_is_408(house: House, begun: bytes) -> None:
    async with serving(house, head_timeout=50 * MILLISECOND) as connect:
        wire = await connect()
        assert (await wire.ask("GET", "/-/healthz")).code == 200
        wire.write(begun)
        seen = await wire.answer()
        assert (seen.code, list(seen.json), seen.header("connection")) == (408, ["message"], "close")
        assert await wire.closed()


@pytest.mark.parametrize(
    "begun",
    [
        HEAD + b"Content-Length: 10\r\n\r\n",
        HEAD + b"Content-Length: 10\r\n\r\n12345",
        HEAD + b"Content-Length: 1000000\r\n\r\n12345",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n123",
        HEAD.replace(b"/async", b"") + b"Content-Length: 10\r\n\r\n12345",
    ],
)
async def test_a_body_that_does_not_come_is_408(house: House, begun: bytes) -> None:
    async with serving(house, body_timeout=50 * MILLISECOND) as connect:
        wire = await connect()
        wire.write(begun)
        seen = await wire.answer()
        assert (seen.code, list(seen.json), seen.header("connection")) == (408, ["message"], "close")
        assert await wire.closed()
    assert house.store.queued == 0
    assert house.upstream.came == []


async def test_a_drip_does_not_keep_a_connection(house: House) -> None:
    """A byte now and then is not a body that comes."""
    async with serving(house, body_timeout=200 * MILLISECOND) as connect:
        wire = await connect()
        wire.write(HEAD + b"Content-Length: 10000000\r\n\r\n")
        waiting = asyncio.create_task(wire.answer())
        dripped = 0
        while not waiting.done() and dripped < BODY_BYTES - 1:
            wire.write(b"x")
            dripped += 1
            await asyncio.wait([waiting], timeout=0.001)
        assert (await waiting).code == 408


async def dawdled(wire: Wire) -> None:
    """A body that does not come on another connection has had its time."""
    wire.write(HEAD + b"Content-Length: 10\r\n\r\n")
    assert (await wire.answer()).code == 408


async def test_a_body_that_comes_may_take_its_time(house: House) -> None:
    piece = b"%x\r\n%s\r\n" % (BODY_BYTES, b"x" * BODY_BYTES)
    async with serving(house, body_timeout=500 * MILLISECOND) as connect:
        wire = await connect()
        wire.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(2):
            another = asyncio.create_task(dawdled(await connect()))
            while not another.done():
                wire.write(piece)
                await asyncio.wait([another], timeout=0.05)
            await another
        wire.write(b"0\r\n\r\n")
        assert (await wire.answer()).code == 202


async def test_a_client_is_not_blamed_for_a_slow_upstream(house: House) -> None:
    size = 16 * 1024 * 1024

    async def talk(talker: Talker) -> None:
        await talker.head()
        assert await asyncio.wait_for(slow.wait(), 10)
        await talker.reader.readexactly(size)
        await talker.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    slow = asyncio.Event()
    house.upstream.talk = talk
    async with serving(house, body_timeout=50 * MILLISECOND) as connect:
        wire = await connect()
        wire.request("POST", "/x", {}, b"x" * size)
        waiting = asyncio.create_task(wire.answer())
        for _ in range(3):
            await dawdled(await connect())
        slow.set()
        assert (await waiting).code == 200


async def test_the_rest_of_an_answered_request_may_not_dawdle_either(house: House) -> None:
    house.service.accepting = False
    async with serving(house, body_timeout=50 * MILLISECOND) as connect:
        wire = await connect()
        wire.write(HEAD + b"Content-Length: 70000\r\n\r\n")
        assert (await wire.answer()).code == 503
        assert await wire.closed()  # and no 408 for what was answered


async def test_requests_that_wait_on_a_connection_are_limited(house: House) -> None:
    one = b"GET /-/healthz HTTP/1.1\r\nHost: h\r\n\r\n"
    wire = await house.wire()
    wire.write(one * (3 * MAX_PIPELINED))
    answers = [await wire.answer() for _ in range(MAX_PIPELINED + 1)]
    assert {seen.code for seen in answers} == {200}
    assert [seen.header("connection") for seen in answers] == [None] * MAX_PIPELINED + ["close"]
    assert await wire.closed()


async def test_connections_over_the_limit_are_told_so_and_the_others_are_served(house: House) -> None:
    async with serving(house, most=3) as connect:
        held = [await connect() for _ in range(3)]
        for wire in held:
            assert (await wire.ask("GET", "/-/healthz")).code == 200
        for _ in range(20):
            wire = await connect()
            seen = await wire.answer()
            assert (seen.code, list(seen.json), seen.header("retry-after")) == (503, ["message"], "5")
            assert await wire.closed()
        await held.pop().close()
        for _ in range(100):  # until the server has seen that one left
            wire = await connect()
            seen = await wire.ask("GET", "/-/healthz")
            if seen.code == 200:
                break
        assert seen.code == 200
        assert (await held[0].ask("GET", "/-/healthz")).code == 200
