"""What the server does before and after the application: bad requests, limits, the end."""

import asyncio
import gc

import pytest

from .house import House


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost h\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"FETCH / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /async/x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_a_malformed_request_is_answered_in_json_and_closed(house: House, raw: bytes) -> None:
    wire = await house.wire()
    wire.write(raw)
    seen = await wire.answer()
    assert (seen.code, list(seen.json), seen.header("connection")) == (400, ["message"], "close")
    assert seen.header("restante-status") == "unknown"
    assert await wire.closed()
    assert house.store.queued == 0


async def test_what_came_before_something_malformed_is_answered_first(house: House) -> None:
    wire = await house.wire()
    wire.write(b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}nonsense\r\n\r\n")
    seen = await wire.answer()
    assert (seen.code, seen.header("connection")) == (202, "close")
    assert await wire.closed()


async def test_a_broken_chunk_is_not_the_end_of_a_body(house: House) -> None:
    wire = await house.wire()
    wire.request("POST", "/async/x", {"Transfer-Encoding": "chunked"}, b"2\r\n{}\r\nzz\r\n")
    assert (await wire.answer()).code == 400
    assert await wire.closed()
    assert house.store.queued == 0


@pytest.mark.parametrize("what", ["one long field", "many fields", "a long path", "no head at all"])
async def test_an_endless_head_is_refused(house: House, what: str) -> None:
    wire = await house.wire()
    wire.write({"a long path": b"GET /", "no head at all": b"\r\n"}.get(what, b"GET /x HTTP/1.1\r\nX: "))
    piece = {"many fields": b"\r\nX: 1" * 2000, "no head at all": b"\r\n" * 5000}.get(what, b"x" * 10_000)
    waiting = asyncio.create_task(wire.answer())
    sent = 0
    while not waiting.done() and sent < 10_000_000:
        wire.write(piece)
        sent += len(piece)
        await asyncio.sleep(0)
    seen = await waiting
    assert (seen.code, list(seen.json)) == (431, ["message"])


async def test_many_bodies_and_heads_in_one_write_are_no_long_head(house: House) -> None:
    wire = await house.wire()
    body = b"x" * 50_000
    one = b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n" + body
    wire.write(one * 5 + one[:20])
    wire.write(one[20:])
    assert [(await wire.answer()).code for _ in range(6)] == [202] * 6


async def test_http_1_0_is_answered_and_closed(house: House) -> None:
    wire = await house.wire()
    wire.write(b"POST /async/x HTTP/1.0\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
    seen = await wire.answer()
    assert (seen.code, seen.header("connection")) == (202, "close")
    assert await wire.closed()


async def test_stopping_lets_what_is_being_answered_end(house: House) -> None:
    release = asyncio.Event()

    async def talk(talker):  # type: ignore[no-untyped-def]
        await talker.request()
        began.set()
        await release.wait()
        await talker.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    began = asyncio.Event()
    house.upstream.talk = talk
    idle = await house.wire()
    await idle.ask("GET", "/-/healthz")
    busy = await house.wire()
    busy.request("GET", "/x")
    await began.wait()
    house.servers[0].stop()
    assert await idle.closed()
    release.set()
    seen = await busy.answer()
    assert (seen.code, seen.body) == (200, b"ok")
    with pytest.raises(OSError):
        await house.wire()


async def test_who_is_idle_when_another_process_follows_may_ask_once_more(house: House) -> None:
    one, other = await house.wire(), await house.wire()
    for wire in (one, other):
        await wire.ask("GET", "/-/healthz")
    house.servers[0].stop(idle_seconds=60)
    for wire, path in ((one, "/-/healthz"), (other, "/async/status/x")):
        assert (await wire.ask("GET", path)).header("connection") == "close"
        assert await wire.closed()


async def test_who_is_idle_and_asks_nothing_more_is_let_go(house: House) -> None:
    wire = await house.wire()
    await wire.ask("GET", "/-/healthz")
    house.servers[0].stop(idle_seconds=0.01)
    assert await wire.closed()


async def test_what_does_not_end_within_the_grace_time_is_told_so(house: House) -> None:
    began = asyncio.Event()

    async def talk(talker):  # type: ignore[no-untyped-def]
        await talker.request()
        began.set()
        await talker.reader.read()

    house.upstream.talk = talk
    wire = await house.wire()
    wire.request("GET", "/x")
    await began.wait()
    house.servers[0].stop()
    seen = await wire.answer()
    assert (seen.code, list(seen.json)) == (503, ["message"])


async def test_requests_leave_no_rings_for_the_collector(house: House) -> None:
    """Garbage in rings costs every accept processor time, and room in the caches."""
    wire = await house.wire()
    count = 200

    async def exchange() -> None:
        seen = await wire.ask("POST", "/async/x", body=b"{}")
        assert (await wire.ask("GET", seen.header("location") or "")).code == 200

    await exchange()
    gc.collect()
    gc.disable()
    try:
        for _ in range(count):
            await exchange()
        assert gc.collect() < count
    finally:
        gc.enable()
