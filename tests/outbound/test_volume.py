"""Much of it: large bodies in bounded memory, many requests on few connections."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator

from restante.outbound import HTTPSender

from .calling import begin, call
from .scripted import OK, Peer, ScriptedUpstream, always

SIZE = 16 << 20
PIECE = 128 * 1024
BOUND = 2 << 20  # both sides of the connection are in this process


def piece(number: int) -> bytes:
    return bytes([number % 251]) * PIECE


def whole_digest() -> bytes:
    digest = hashlib.sha256()
    for number in range(SIZE // PIECE):
        digest.update(piece(number))
    return digest.digest()


async def test_16_mib_go_out_in_bounded_memory(sender: HTTPSender) -> None:
    digest = hashlib.sha256()

    async def script(peer: Peer) -> None:
        await peer.head()
        left = SIZE
        while left:
            data = await peer.reader.read(65536)
            digest.update(data)
            left -= len(data)
        await peer.send(OK)

    async def body() -> AsyncIterator[bytes]:
        for number in range(SIZE // PIECE):
            yield piece(number)

    async with ScriptedUpstream(script) as upstream:
        tracemalloc.start()
        got = await call(sender, upstream.policy(), "POST", body=body(), size=SIZE)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert got.body == b"ok"
    assert digest.digest() == whole_digest()
    assert peak < BOUND


async def test_16_mib_come_in_in_bounded_memory_however_slowly_they_are_read(sender: HTTPSender) -> None:
    for head, coded in ((b"Content-Length: %d" % SIZE, False), (b"Transfer-Encoding: chunked", True)):

        async def script(peer: Peer, head: bytes = head, coded: bool = coded) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % head)
            for number in range(SIZE // PIECE):
                data = piece(number)
                await peer.send(b"%x\r\n%b\r\n" % (PIECE, data) if coded else data)
            await peer.send(b"0\r\n\r\n" if coded else b"")

        async with ScriptedUpstream(script) as upstream:
            tracemalloc.start()
            answer = await begin(sender, upstream.policy(), timeout_seconds=60)
            for _ in range(2000):  # the upstream sends as much as it can
                await asyncio.sleep(0)
            _, unread_peak = tracemalloc.get_traced_memory()
            digest, largest = hashlib.sha256(), 0
            async for data in answer.body():
                digest.update(data)
                largest = max(largest, len(data))
            del data
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert digest.digest() == whole_digest()
        assert unread_peak < BOUND
        assert peak < BOUND
        assert largest < 512 * 1024


async def test_a_body_of_tiny_chunks_costs_no_more_memory_than_one_of_large_ones(sender: HTTPSender) -> None:
    count = 200_000

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(count // 1000):
            await peer.send(b"1\r\nx\r\n" * 1000)
        await peer.send(b"0\r\n\r\n")

    async with ScriptedUpstream(script) as upstream:
        tracemalloc.start()
        answer = await begin(sender, upstream.policy(), timeout_seconds=60)
        for _ in range(2000):
            await asyncio.sleep(0)
        size = 0
        async for data in answer.body():
            size += len(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert size == count
    assert peak < 3 * BOUND


async def test_1000_requests_go_over_few_connections(sender: HTTPSender) -> None:
    async with ScriptedUpstream(always(OK)) as upstream:
        policy = upstream.policy()
        turns = asyncio.Semaphore(8)

        async def one(number: int) -> None:
            async with turns:
                got = await call(sender, policy, "POST", f"/{number}", body=b"%d" % number)
                assert got.body == b"ok"

        await asyncio.gather(*(one(number) for number in range(1000)))
        assert upstream.connections <= 8
        assert sorted(int(r.body) for r in upstream.requests) == list(range(1000))
        assert all(r.target == f"/{r.body.decode()}" for r in upstream.requests)


async def test_an_exchange_leaves_no_ring_behind(sender: HTTPSender) -> None:
    """So that memory goes back at once, and the collector has nothing to do."""
    import gc
    import weakref

    async with ScriptedUpstream(always(OK)) as upstream:
        gc.disable()
        try:
            answer = await begin(sender, upstream.policy())
            async for _ in answer.body():
                pass
            watch = weakref.ref(answer)
            del answer
            assert watch() is None
        finally:
            gc.enable()
