"""Straight through: both ways streamed, both ways untouched."""

import asyncio

import pytest

from restante.core.clock import MILLISECOND
from restante.core.policy import Route

from .conftest import MakeHouse
from .house import House
from .upstream import Talker

MiB = 1024 * 1024


def answering(house: House, raw: bytes) -> None:
    house.upstream.raw = raw


async def test_a_request_arrives_as_it_was_sent(house: House) -> None:
    wire = await house.wire()
    wire.write(
        b"PATCH /a%2Fb//c/../d;x=%FF?q=%20a+b&&c HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\n"
        b"x-b: \xe9\xff\r\nX-A: 2\r\nAuthorization: Basic YQ==\r\nConnection: x-hop\r\nX-Hop: 1\r\n"
        b"Keep-Alive: 5\r\nRestante-Attempt: 9\r\nAccept-Encoding: br\r\nContent-Length: 3\r\n\r\n\x00\xffx"
    )
    assert (await wire.answer()).code == 200
    (came,) = house.upstream.came
    assert (came.method, came.target, came.body) == (
        "PATCH",
        "/a%2Fb//c/../d;x=%FF?q=%20a+b&&c",
        b"\x00\xffx",
    )
    port = house.policy.upstreams["default"].port
    assert [(name.lower(), value) for name, value in came.headers] == [
        ("host", f"127.0.0.1:{port}"),
        ("x-a", "1"),
        ("x-b", "\xe9\xff"),
        ("x-a", "2"),
        ("authorization", "Basic YQ=="),
        ("accept-encoding", "br"),
        ("content-length", "3"),
    ]


@pytest.mark.parametrize(
    "path", ["/", "//", "/-", "/async", "/asyncx", "/%2D/", "/%61sync/x", "/ASYNC/x", "/x/-/y"]
)
async def test_every_other_path_goes_through(house: House, path: str) -> None:
    assert (await house.ask("GET", path)).body == b"ok"
    assert house.upstream.came[0].target == path


async def test_an_answer_comes_back_as_it_was_sent(house: House) -> None:
    body = bytes(range(256))
    answering(
        house,
        b"HTTP/1.1 418 Whatever\r\nSet-Cookie: a=1\r\nX-B: \xe9\xff\r\nset-cookie: b=2\r\nServer: them\r\n"
        b"Date: yesterday\r\nContent-Encoding: br\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n"
        b"Restante-Status: unknown\r\nRESTANTE-Transaction: 1\r\nRestante_Key: 1\r\nRestante-New: 1\r\n"
        b"Idempotent-Replayed: true\r\nPreference-Applied: x\r\nContent-Length: 256\r\n\r\n" + body,
    )
    seen = await house.ask("GET", "/x")
    assert (seen.code, seen.body) == (418, body)
    assert seen.headers == [
        ("set-cookie", b"a=1"),
        ("x-b", b"\xe9\xff"),
        ("set-cookie", b"b=2"),
        ("server", b"them"),
        ("date", b"yesterday"),
        ("content-encoding", b"br"),
        ("idempotent-replayed", b"true"),
        ("preference-applied", b"x"),
        ("content-length", b"256"),
    ]


async def test_a_chunked_body_stays_chunked_both_ways(house: House) -> None:
    answering(house, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    wire = await house.wire()
    for body in (b"2\r\nhi\r\n0\r\n\r\n", b"0\r\n\r\n"):
        seen = await wire.ask("POST", "/x", {"Transfer-Encoding": "chunked"}, body)
        assert (seen.body, seen.header("transfer-encoding")) == (b"abcde", "chunked")
    assert [came.body for came in house.upstream.came] == [b"hi", b""]
    for came in house.upstream.came:
        assert came.header("transfer-encoding") == "chunked"
        assert came.header("content-length") is None


async def test_a_request_without_a_body_has_no_framing(house: House) -> None:
    wire = await house.wire()
    await wire.ask("GET", "/x")
    await wire.ask("POST", "/x", {"Content-Length": "0"})
    get, post = house.upstream.came
    assert (get.header("content-length"), get.header("transfer-encoding")) == (None, None)
    assert (post.header("content-length"), post.header("transfer-encoding")) == ("0", None)


@pytest.mark.parametrize(
    ("method", "head", "length"),
    [
        ("HEAD", b"200 OK\r\nContent-Length: 1234", "1234"),
        ("HEAD", b"200 OK\r\nX: 1", None),
        ("GET", b"204 No Content\r\nX: 1", None),
        ("GET", b"304 Not Modified\r\nContent-Length: 1234", None),
        ("GET", b"200 OK\r\nContent-Length: 0", "0"),
        ("DELETE", b"404 Not Found\r\nContent-Length: 0", "0"),
    ],
)
async def test_answers_without_a_body(house: House, method: str, head: bytes, length: str | None) -> None:
    answering(house, b"HTTP/1.1 " + head + b'\r\nETag: "a"\r\n\r\n')
    wire = await house.wire()
    for _ in range(2):  # on one connection
        seen = await wire.ask(method, "/x")
        assert (seen.code, seen.body, seen.header("etag")) == (int(head[:3]), b"", '"a"')
        assert (seen.header("content-length"), seen.header("transfer-encoding")) == (length, None)


async def test_an_informational_answer_is_passed_over(house: House) -> None:
    answering(
        house, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    assert (await house.ask("GET", "/x")).body == b"ok"


async def test_an_answer_until_the_end_of_the_connection(house: House) -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(b"HTTP/1.0 200 OK\r\n\r\nabc")

    house.upstream.talk = talk
    seen = await house.ask("GET", "/x")
    assert (seen.body, seen.complete) == (b"abc", True)


@pytest.mark.parametrize("coding", ["length", "chunked"])
async def test_both_ways_are_streamed(house: House, coding: str) -> None:
    """Each side sees a piece before the next one is sent."""
    half = 50_000

    async def talk(talker: Talker) -> None:
        await talker.head()
        await talker.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * half))
        for _ in range(2):
            piece = b""
            while len(piece) < half:
                if coding == "chunked":
                    size = int(await talker.reader.readuntil(b"\r\n"), 16)
                    piece += (await talker.reader.readexactly(size + 2))[:-2]
                else:
                    piece += await talker.reader.read(half - len(piece))
            await talker.say(piece.upper())

    house.upstream.talk = talk
    wire = await house.wire()
    framing = {"Content-Length": str(2 * half)} if coding == "length" else {"Transfer-Encoding": "chunked"}
    wire.request("POST", "/x", framing)
    async with asyncio.timeout(5):
        assert b"200" in await wire.reader.readuntil(b"\r\n\r\n")
        for letter in (b"a", b"b"):
            piece = letter * half
            wire.write(piece if coding == "length" else b"%x\r\n%b\r\n" % (half, piece))
            assert await wire.reader.readexactly(half) == piece.upper()


async def test_large_bodies_go_through_both_ways(house: House) -> None:
    body = bytes(range(256)) * (16 * MiB // 256)

    async def talk(talker: Talker) -> None:
        came = await talker.request()
        await talker.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(came.body) + came.body)

    house.upstream.talk = talk
    wire = await house.wire()
    seen = await wire.ask("POST", "/x", {}, body)
    assert seen.body == body


async def test_a_slow_reader_slows_the_upstream_down(house: House) -> None:
    sent = 0

    async def talk(talker: Talker) -> None:
        nonlocal sent
        await talker.request()
        await talker.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MiB))
        while sent < 64 * MiB:
            await talker.say(b"x" * MiB)
            sent += MiB

    house.upstream.talk = talk
    wire = await house.wire()
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
    wire.request("GET", "/x")
    for _ in range(200):
        await house.ask("GET", "/-/healthz")
    assert sent < 64 * MiB
    wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert len((await wire.answer()).body) == 64 * MiB


# -- what goes wrong


async def test_an_upstream_that_is_not_there_is_502(house: House) -> None:
    await house.upstream.stop()
    for method in ("GET", "POST"):
        seen = await house.ask(method, "/x")
        assert (seen.code, list(seen.json), seen.header("restante-status")) == (502, ["message"], "failed")


async def test_an_upstream_that_says_nothing_is_504(make_house: MakeHouse) -> None:
    house = await make_house(target={"timeout": 50 * MILLISECOND})

    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.reader.read()

    house.upstream.talk = talk
    seen = await house.ask("GET", "/x")
    assert (seen.code, list(seen.json)) == (504, ["message"])


@pytest.mark.parametrize("raw", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_an_upstream_that_gives_no_answer_is_502_and_a_post_is_not_repeated(
    house: House, raw: bytes
) -> None:
    came = 0

    async def talk(talker: Talker) -> None:
        nonlocal came
        await talker.request()
        came += 1
        await talker.say(raw)

    house.upstream.talk = talk
    seen = await house.ask("POST", "/x")
    assert (seen.code, list(seen.json)) == (502, ["message"])
    assert came == 1


@pytest.mark.parametrize(
    "head", [b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
)
async def test_an_answer_that_breaks_off_is_broken_off(house: House, head: bytes) -> None:
    async def talk(talker: Talker) -> None:
        await talker.request()
        await talker.say(b"HTTP/1.1 200 OK\r\n" + head)

    house.upstream.talk = talk
    wire = await house.wire()
    seen = await wire.ask("POST", "/x")
    assert (seen.code, seen.complete) == (200, False)
    assert await wire.closed()


@pytest.mark.parametrize("when", ["before the head", "in the body"])
async def test_a_client_that_leaves_ends_the_exchange_at_once(house: House, when: str) -> None:
    waiting = asyncio.Event()

    async def talk(talker: Talker) -> None:
        await talker.request()
        if when == "in the body":
            await talker.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        waiting.set()
        if not await talker.reader.read():
            house.upstream.lost.set()

    house.upstream.talk = talk
    wire = await house.wire()
    wire.request("GET", "/x")
    await waiting.wait()
    if when == "in the body":
        await wire.reader.readuntil(b"abc")
    wire.leave()
    async with asyncio.timeout(5):
        await house.upstream.lost.wait()


@pytest.mark.parametrize("framing", [{"Content-Length": "100000"}, {"Transfer-Encoding": "chunked"}])
async def test_a_client_that_leaves_in_its_body_is_visible_upstream(
    house: House, framing: dict[str, str]
) -> None:
    waiting = asyncio.Event()

    async def talk(talker: Talker) -> None:
        await talker.head()
        waiting.set()
        rest = await talker.reader.read()
        assert len(rest) < 100
        house.upstream.lost.set()

    house.upstream.talk = talk
    wire = await house.wire()
    wire.request("POST", "/x", framing)
    await waiting.wait()
    wire.write(b"a\r\n0123456789\r\n")
    wire.leave()
    async with asyncio.timeout(5):
        await house.upstream.lost.wait()


async def test_a_client_that_leaves_in_a_small_body_is_never_heard_of_upstream(house: House) -> None:
    wire = await house.wire()
    wire.request("POST", "/x", {"Content-Length": "10"}, b"half")
    await wire.writer.drain()
    wire.leave()
    for _ in range(5):
        await house.ask("GET", "/-/healthz")
    assert house.upstream.came == []


async def test_an_early_answer_is_passed_on_and_ends_the_connection(house: House) -> None:
    async def talk(talker: Talker) -> None:
        await talker.head()
        await talker.say(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")
        await talker.reader.read()

    house.upstream.talk = talk
    wire = await house.wire()
    wire.request("POST", "/x", {"Content-Length": str(64 * MiB)})
    wire.write(b"x" * MiB)
    seen = await wire.answer()
    assert (seen.code, seen.body, seen.header("connection")) == (401, b"no", "close")
    wire.leave()


async def test_a_connection_that_the_upstream_closed_meanwhile_costs_nobody_an_error(house: House) -> None:
    served = 0

    async def talk(talker: Talker) -> None:
        nonlocal served
        await talker.request()
        served += 1
        await talker.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await talker.head()  # the second one is read and never answered

    house.upstream.talk = talk
    wire = await house.wire()
    for _ in range(5):
        assert (await wire.ask("GET", "/x")).body == b"ok"
    assert served == 5


async def test_a_route_may_have_an_upstream_of_its_own(make_house: MakeHouse) -> None:
    house = await make_house(routes=[Route(path="/other/*", upstream="other")], others=["other"])
    assert (await house.ask("GET", "/x")).code == 200
    assert (await house.ask("GET", "/other/x")).code == 502


async def test_a_bad_option_is_refused_on_a_plain_path_too(house: House) -> None:
    seen = await house.ask("GET", "/x", {"Restante-Delay": "soon"})
    assert (seen.code, seen.json["field"]) == (400, "Restante-Delay")
