"""What goes out, and when."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from restante.core.errors import AnswerBroken
from restante.outbound import HTTPSender

from .calling import HOST, begin, call, line_to, pieces
from .scripted import OK, Peer, ScriptedUpstream, always


async def test_a_request_arrives_byte_for_byte(sender: HTTPSender) -> None:
    headers = (*HOST, (b"X-Latin", b"caf\xe9"), (b"X-Utf", "café €".encode()), (b"x-b", b"1"), (b"x-b", b"2"))
    async with ScriptedUpstream(always(OK)) as upstream:
        await call(sender, upstream.policy(), "POST", "/a%2Fb//c?d=é", headers=headers, body=b"\0\xff\r\n")
        (request,) = upstream.requests
    assert (request.method, request.target, request.body) == ("POST", "/a%2Fb//c?d=é", b"\0\xff\r\n")
    assert request.headers == (*headers, (b"Content-Length", b"4"))


async def test_the_upstreams_base_path_is_the_callers_to_add(sender: HTTPSender) -> None:
    async with ScriptedUpstream(always(OK)) as upstream:
        await call(sender, upstream.policy(base_path="/base"), target="/base/x")
        assert upstream.requests[0].target == "/base/x"


async def test_head_and_small_body_leave_in_one_write(sender: HTTPSender) -> None:
    async def script(peer: Peer) -> None:
        first = await peer.reader.read(1 << 20)
        assert first.endswith(b"\r\n\r\nhello")
        await peer.send(OK)

    async with ScriptedUpstream(script) as upstream:
        assert (await call(sender, upstream.policy(), "POST", body=b"hello")).body == b"ok"


async def test_a_body_of_unknown_size_is_chunked(sender: HTTPSender) -> None:
    async with ScriptedUpstream(always(OK)) as upstream:
        await call(sender, upstream.policy(), "POST", body=pieces([b"one", b"", b"two" * 20]), size=None)
        await call(sender, upstream.policy(), "POST", body=b"whole", size=None)
        await call(sender, upstream.policy(), "POST", body=b"", size=None)
        await call(sender, upstream.policy(), "POST", body=pieces([]), size=None)
        assert [r.body for r in upstream.requests] == [b"one" + b"two" * 20, b"whole", b"", b""]
        assert all(r.all(b"transfer-encoding") == [b"chunked"] for r in upstream.requests)
        assert not any(r.all(b"content-length") for r in upstream.requests)
        assert upstream.connections == 1


async def test_a_body_of_known_size_comes_in_pieces(sender: HTTPSender) -> None:
    async with ScriptedUpstream(always(OK)) as upstream:
        await call(sender, upstream.policy(), "POST", body=pieces([b"one", b"two"]), size=6)
        await call(sender, upstream.policy(), "GET")
        assert upstream.requests[0].body == b"onetwo"
        assert upstream.requests[0].all(b"content-length") == [b"6"]
        assert upstream.connections == 1


async def test_an_empty_stream_of_known_size_needs_no_length(sender: HTTPSender) -> None:
    async with ScriptedUpstream(always(OK)) as upstream:
        line = await line_to(sender, upstream.policy())
        answer = await line.send("GET", "/", HOST, pieces([]), size=0, timeout_seconds=5)
        assert [piece async for piece in answer.body()] == [b"ok"]
        await call(sender, upstream.policy())
        assert not upstream.requests[0].all(b"content-length")
        assert upstream.connections == 1


@pytest.mark.parametrize(("body", "size"), [(b"abc", 2), (b"abc", 4), (b"abc", 0)])
async def test_a_body_that_is_not_as_long_as_announced_is_not_sent(
    sender: HTTPSender, body: bytes, size: int
) -> None:
    async with ScriptedUpstream(always(OK)) as upstream:
        line = await line_to(sender, upstream.policy())
        with pytest.raises(ValueError):
            await line.send("POST", "/", HOST, body, size=size, timeout_seconds=5)
        await call(sender, upstream.policy())
        assert upstream.connections == 1
        assert [r.method for r in upstream.requests] == ["GET"]


@pytest.mark.parametrize("size", [5, 7])
async def test_a_stream_that_is_not_as_long_as_announced_ends_the_request(
    sender: HTTPSender, size: int
) -> None:
    left: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.head()
        left.append(await peer.left())

    async with ScriptedUpstream(script) as upstream:
        with pytest.raises(ValueError):
            await call(sender, upstream.policy(), "POST", body=pieces([b"one", b"two"]), size=size)
        await upstream.until_open(0)
    assert left[0] in (b"", b"one", b"onetwo")[: 3 if size == 7 else 2]


async def test_what_the_body_raises_is_raised_and_the_connection_ended(sender: HTTPSender) -> None:
    class Gone(Exception):
        pass

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        raise Gone

    async with ScriptedUpstream(always(OK)) as upstream:
        with pytest.raises(Gone):
            await call(sender, upstream.policy(), "POST", body=body(), size=None)
        await upstream.until_open(0)
        assert not upstream.requests


async def test_a_body_that_is_cancelled_from_within_ends_the_request(sender: HTTPSender) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        raise asyncio.CancelledError

    async with ScriptedUpstream(always(OK)) as upstream:
        with pytest.raises(AnswerBroken, match="body broke off"):
            await call(sender, upstream.policy(), "POST", body=body(), size=None)


@pytest.mark.parametrize("size", [None, 1 << 30])
async def test_an_answer_before_the_whole_body_is_sent_counts(sender: HTTPSender, size: int | None) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await peer.left()

    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(64 * 1024)
        finally:
            stopped.set()

    async with ScriptedUpstream(script) as upstream:
        body = endless()
        got = await call(sender, upstream.policy(), "POST", body=body, size=size)
        assert (got.status, got.body) == (413, b"big")
        await upstream.until_open(0)  # not reused
        await body.aclose()  # type: ignore[attr-defined]  # and not running any more
        assert stopped.is_set()


async def test_an_early_answer_to_a_large_body_in_one_piece_counts(sender: HTTPSender) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await asyncio.Event().wait()  # never reads

    async with ScriptedUpstream(script) as upstream:
        got = await call(sender, upstream.policy(), "POST", body=bytes(16 << 20))
        assert (got.status, got.body) == (413, b"big")
        await call(sender, upstream.policy(), "POST", body=bytes(16 << 20))
        assert upstream.connections == 2


async def test_request_and_answer_may_stream_beside_each_other(sender: HTTPSender) -> None:
    async def echo(peer: Peer) -> None:
        while await peer.head():
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            line = b""
            while line != b"0\r\n":
                line = await peer.reader.readline()
                await peer.send(line + await peer.reader.readline())

    answered = asyncio.Queue[bytes]()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        assert await answered.get() == b"first"
        yield b"second"
        assert await answered.get() == b"second"

    async with ScriptedUpstream(echo) as upstream:
        answer = await begin(sender, upstream.policy(), "POST", body=body(), size=None)
        got = []
        async for piece in answer.body():
            got.append(piece)
            answered.put_nowait(piece)
        assert got == [b"first", b"second"]
        again = await begin(sender, upstream.policy(), "POST", body=pieces([b"x"]), size=None)
        assert [piece async for piece in again.body()] == [b"x"]
        assert upstream.connections == 1


async def test_a_line_carries_one_request(sender: HTTPSender) -> None:
    async with ScriptedUpstream(always(OK)) as upstream:
        line = await line_to(sender, upstream.policy())
        await line.send("GET", "/", HOST, b"", size=0, timeout_seconds=5)
        with pytest.raises(RuntimeError):
            await line.send("GET", "/", HOST, b"", size=0, timeout_seconds=5)
        line.close()  # changes nothing
        await call(sender, upstream.policy())
        assert upstream.connections == 1


async def test_an_injected_head_is_refused_and_the_line_given_back(sender: HTTPSender) -> None:
    async with ScriptedUpstream(always(OK)) as upstream:
        line = await line_to(sender, upstream.policy())
        with pytest.raises(ValueError):
            await line.send("GET", "/", ((b"X", b"1\r\nY: 2"),), b"", size=0, timeout_seconds=5)
        await call(sender, upstream.policy())
        assert upstream.connections == 1
        assert len(upstream.requests) == 1
