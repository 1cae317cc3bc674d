"""Where an answer ends, what is in it, and what is none."""

import asyncio

import pytest

from restante.core.errors import AnswerBroken, NoAnswerInTime, Unreachable
from restante.outbound import HTTPSender
from restante.outbound.reader import MAX_HEAD, MAX_INFORMATIONAL

from .calling import HOST, begin, call, line_to
from .scripted import OK, Peer, ScriptedUpstream, always, hanging, once

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_headers_come_back_as_they_were(sender: HTTPSender) -> None:
    raw = (
        HEAD
        + b"Set-Cookie: a=1\r\nx-LATIN: caf\xe9\xff\r\nX-Empty:\r\nset-cookie: b=2\r\n"
        + b"Content-Length: 0\r\n\r\n"
    )
    async with ScriptedUpstream(always(raw)) as upstream:
        got = await call(sender, upstream.policy())
    assert got.headers == (
        (b"Set-Cookie", b"a=1"),
        (b"x-LATIN", b"caf\xe9\xff"),
        (b"X-Empty", b""),
        (b"set-cookie", b"b=2"),
        (b"Content-Length", b"0"),
    )


@pytest.mark.parametrize(
    ("raw", "size", "body"),
    [
        (HEAD + b"Content-Length: 5\r\n\r\nhello", 5, b"hello"),
        (HEAD + b"content-LENGTH:  5  \r\n\r\nhello", 5, b"hello"),
        (HEAD + b"Content-Length: 0\r\n\r\n", 0, b""),
        (CHUNKED + b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n", None, b"hello world"),
        (CHUNKED + b"0\r\n\r\n", None, b""),
        (CHUNKED + b"2\r\nhi\r\n0\r\nX-Trailer: 1\r\n\r\n", None, b"hi"),
        (HEAD + b"Transfer-Encoding: Chunked \r\n\r\n2\r\nhi\r\n0\r\n\r\n", None, b"hi"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 0, b""),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", 0, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 0, b""),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 0, b""),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", 2, b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK, 2, b"ok"),
        (b"HTTP/1.1 500 \xc3\xa9\r\nContent-Length: 2\r\n\r\nno", 2, b"no"),
        (b"HTTP/1.1 599\r\nContent-Length: 2\r\n\r\nno", 2, b"no"),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 0, b""),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", 3, b"\x1f\x8b\x08"),
        (HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok", 2, b"ok"),
    ],
)
@pytest.mark.parametrize("bytewise", [False, True], ids=["at-once", "bytewise"])
async def test_a_whole_answer_is_read_to_its_end_and_its_connection_reused(
    sender: HTTPSender, raw: bytes, size: int | None, body: bytes, bytewise: bool
) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            for byte in raw if bytewise else ():
                await peer.send(bytes([byte]))
                await asyncio.sleep(0)
            if not bytewise:
                await peer.send(raw)

    async with ScriptedUpstream(script) as upstream:
        for _ in range(2):
            got = await call(sender, upstream.policy())
            assert (got.size, got.body) == (size, body)
            assert got.headers == (await call(sender, upstream.policy())).headers
        if not bytewise:  # where a head's end came alone, a connection may be given up out of caution
            assert upstream.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"Content-Length: 1234\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"\r\n",
        HEAD + b"Content-Length: 0\r\n\r\n",
    ],
)
async def test_an_answer_to_head_has_no_body_whatever_it_says(sender: HTTPSender, raw: bytes) -> None:
    async with ScriptedUpstream(always(raw)) as upstream:
        for _ in range(3):
            got = await call(sender, upstream.policy(), "HEAD")
            assert (got.status, got.size, got.body) == (200, 0, b"")
        assert upstream.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nConnection: x, Close\r\n\r\nok",
        HEAD + b"Connection: close\r\n\r\nok",
        HEAD + b"\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
async def test_an_answer_that_ends_its_connection_is_read_to_the_end(sender: HTTPSender, raw: bytes) -> None:
    async with ScriptedUpstream(once(raw)) as upstream:
        for count in (1, 2):
            assert (await call(sender, upstream.policy())).body == b"ok"
            assert upstream.connections == count


async def test_an_answer_that_says_close_is_whole_before_the_upstream_closes(sender: HTTPSender) -> None:
    async with ScriptedUpstream(
        hanging(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\nok")
    ) as upstream:
        assert (await call(sender, upstream.policy())).body == b"ok"
        await upstream.until_open(0)


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("GET", OK + b"x"),
        ("GET", OK + OK),
        ("GET", OK + b"HTTP/1.1 20"),
        ("GET", CHUNKED + b"0\r\n\r\nx"),
        ("GET", b"HTTP/1.1 204 No\r\n\r\nx"),
        ("GET", b"HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", b"HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("HEAD", OK),
        ("HEAD", HEAD + b"\r\nok"),
        ("HEAD", HEAD + b"\r\n\r\n\r\n"),
        ("HEAD", CHUNKED + b"0\r\n\r\n"),
        ("HEAD", CHUNKED + b"5;x\r\n\r\n"),
        ("HEAD", CHUNKED + b"5\r\n"),
        ("HEAD", CHUNKED + b"0\r\nX: y\r\n\r\n"),
    ],
)
async def test_bytes_after_an_answer_cost_the_connection_not_the_answer(
    sender: HTTPSender, method: str, raw: bytes
) -> None:
    async with ScriptedUpstream(hanging(raw)) as upstream:
        got = await call(sender, upstream.policy(), method)
        assert got.status in (200, 204, 304)
        assert got.body == (b"ok" if raw.startswith(OK) and method == "GET" else b"")
        await upstream.until_open(0)


@pytest.mark.parametrize(
    ("raw", "phrase"),
    [
        (b"", "the upstream closed the connection before answering"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "closed the connection in the middle of the answer's head"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "closed the connection in the middle of the answer's head"),
        (HEAD + b"Content-Length: 10\r\n\r\n1234", "broke off after 4 of 10 bytes"),
        (HEAD + b"Content-Length: 10\r\nConnection: close\r\n\r\n1234", "broke off after 4 of 10 bytes"),
        (CHUNKED, "broke off after 0 bytes"),
        (CHUNKED + b"5\r\nhel", "broke off after 3 bytes"),
        (CHUNKED + b"5\r\nhello\r\n", "broke off after 5 bytes"),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", "broke off after 5 bytes"),
        (CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: ", "broke off after 5 bytes"),
        (CHUNKED + b"zz\r\n", "the answer's body was not valid HTTP"),
        (CHUNKED + b"2\r\nhello\r\n", "the answer's body was not valid HTTP"),
        (CHUNKED + b"-1\r\nhello\r\n", "the answer's body was not valid HTTP"),
        (CHUNKED + b"fffffffffffffffff\r\nhello", "the answer's body was not valid HTTP"),
        (b"SSH-2.0-OpenSSH_9\r\n", "not a valid HTTP answer"),
        (b"\0\0\0\x12\x04\0\0\0", "not a valid HTTP answer"),
        (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "not a valid HTTP answer"),
        (b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n", "not a valid HTTP answer"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "not a valid HTTP answer"),
        (b"HTTP/1.1 OK\r\n\r\n", "not a valid HTTP answer"),
        (b"HTTP/1.1 99 Low\r\n\r\n", "not a valid HTTP answer"),
        (b"HTTP/1.1 1000 High\r\n\r\n", "not a valid HTTP answer"),
        (b"HTTP/1.1 099 Low\r\n\r\n", "status, 99, is none that HTTP knows"),
        (b"HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n", "status, 600, is none that HTTP knows"),
        (b"HTTP/1.1 999 High\r\n\r\n", "status, 999, is none that HTTP knows"),
        (
            b"HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nblah",
            "switched to another protocol",
        ),
        (b"HTTP/1.1 101 Switch\r\n\r\n", "switched to another protocol"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INFORMATIONAL + 1), "too many informational answers"),
        (b"HTTP/1.1 103 Early\r\nConnection: close\r\n\r\n" + OK, "not a valid HTTP answer"),
        (
            HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "not a valid HTTP answer",
        ),
        (
            HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
            "not a valid HTTP answer",
        ),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", "not a valid HTTP answer"),
        (HEAD + b"Content-Length: 2, 2\r\n\r\nok", "not a valid HTTP answer"),
        (HEAD + b"Content-Length: -2\r\n\r\nok", "not a valid HTTP answer"),
        (HEAD + b"Content-Length: +2\r\n\r\nok", "not a valid HTTP answer"),
        (HEAD + b"Content-Length: 0x2\r\n\r\nok", "not a valid HTTP answer"),
        (HEAD + b"Content-Length:\r\n\r\nok", "not a valid HTTP answer"),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\nok", "not a valid HTTP answer"),
        (
            HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "a transfer coding that was not asked for",
        ),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\nxx", "a transfer coding that was not asked for"),
        (HEAD + b"Transfer-Encoding: identity\r\n\r\nxx", "a transfer coding that was not asked for"),
        (
            HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "a transfer coding that was not asked for",
        ),
        (HEAD + b"X: a\r\n folded\r\n\r\n", "not a valid HTTP answer"),
        (HEAD + b"X y: a\r\n\r\n", "not a valid HTTP answer"),
        (HEAD + b"X : a\r\n\r\n", "not a valid HTTP answer"),
        (HEAD + b"X: a\0b\r\n\r\n", "not a valid HTTP answer"),
        (HEAD + b"X: a\rb\r\n\r\n", "not a valid HTTP answer"),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "not a valid HTTP answer"),
        (HEAD + b"X: " + b"a" * MAX_HEAD + b"\r\nContent-Length: 0\r\n\r\n", "header section was too large"),
        (HEAD + b"X: a\r\n" * (MAX_HEAD // 4), "header section was too large"),
        (HEAD + b"X-Endless: " + b"a" * 4 * MAX_HEAD, "header section was too large"),
        (CHUNKED + b"0\r\nX-Endless: " + b"a" * 4 * MAX_HEAD, "header section was too large"),
        (CHUNKED + b"1;" + b"x" * 4 * MAX_HEAD, "header section was too large"),
    ],
)
async def test_what_is_no_whole_answer_is_an_error(sender: HTTPSender, raw: bytes, phrase: str) -> None:
    async with ScriptedUpstream(once(raw)) as upstream:
        with pytest.raises(AnswerBroken, match=phrase) as caught:
            await call(sender, upstream.policy())
        assert caught.value.sent
        await upstream.until_open(0)
        assert upstream.connections == 1


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nX", HEAD + b"\r\n123", CHUNKED + b"3\r\n123\r\n"])
async def test_a_reset_is_never_the_end_of_an_answer(sender: HTTPSender, raw: bytes) -> None:
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(raw)
        if raw.endswith((b"123", b"123\r\n")):
            await seen.wait()
        peer.reset()

    async with ScriptedUpstream(script) as upstream:
        with pytest.raises(AnswerBroken) as caught:
            answer = await begin(sender, upstream.policy())
            async for _ in answer.body():
                seen.set()
        assert caught.value.sent


async def test_pieces_before_a_break_are_given_out(sender: HTTPSender) -> None:
    async with ScriptedUpstream(once(HEAD + b"Content-Length: 10\r\n\r\n1234")) as upstream:
        answer = await begin(sender, upstream.policy())
        got = []
        with pytest.raises(AnswerBroken):
            async for piece in answer.body():
                got.append(piece)
        assert b"".join(got) == b"1234"


async def test_a_head_of_just_under_the_limit_is_read(sender: HTTPSender) -> None:
    value = b"a" * (MAX_HEAD - 200)
    async with ScriptedUpstream(always(HEAD + b"X: %b\r\nContent-Length: 2\r\n\r\nok" % value)) as upstream:
        got = await call(sender, upstream.policy())
        assert got.headers[0] == (b"X", value)


async def test_no_head_in_time(sender: HTTPSender) -> None:
    async with ScriptedUpstream(hanging(b"HTTP/1.1 200 OK\r\n")) as upstream:
        with pytest.raises(NoAnswerInTime, match=r"^no answer within 0\.05 s$") as caught:
            await call(sender, upstream.policy(), timeout_seconds=0.05)
        assert caught.value.sent
        await upstream.until_open(0)


async def test_no_whole_body_in_time(sender: HTTPSender) -> None:
    async with ScriptedUpstream(hanging(HEAD + b"Content-Length: 10\r\n\r\n1234")) as upstream:
        answer = await begin(sender, upstream.policy(), timeout_seconds=0.05)
        with pytest.raises(NoAnswerInTime, match=r"^the answer was not complete within 0\.05 s$") as caught:
            async for piece in answer.body():
                assert piece == b"1234"
        assert caught.value.sent
        await upstream.until_open(0)


@pytest.mark.parametrize(("before", "seconds"), [(0.05, 0.15), (5, 0.05)], ids=["more", "less"])
async def test_each_answer_on_a_connection_has_its_own_time(
    sender: HTTPSender, before: float, seconds: float
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await asyncio.Event().wait()

    async with ScriptedUpstream(script) as upstream:
        await call(sender, upstream.policy(), timeout_seconds=before)
        begun = asyncio.get_running_loop().time()
        with pytest.raises(NoAnswerInTime, match=rf"^no answer within {seconds} s$"):
            await call(sender, upstream.policy(), timeout_seconds=seconds)
        assert asyncio.get_running_loop().time() - begun > 0.9 * seconds
        assert upstream.connections == 1


async def test_a_drip_of_bytes_does_not_stretch_the_time(sender: HTTPSender) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        while True:
            await peer.send(b"1\r\nx\r\n")
            await asyncio.sleep(0)

    async with ScriptedUpstream(script) as upstream:
        with pytest.raises(NoAnswerInTime):
            await call(sender, upstream.policy(), timeout_seconds=0.05)


async def test_time_is_up_while_the_body_is_sent(sender: HTTPSender) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await asyncio.Event().wait()

    async with ScriptedUpstream(script) as upstream:
        with pytest.raises(NoAnswerInTime) as caught:
            await call(sender, upstream.policy(), "POST", body=bytes(16 << 20), timeout_seconds=0.05)
        assert caught.value.sent


async def test_closing_an_answer_before_its_end_ends_the_connection(sender: HTTPSender) -> None:
    async with ScriptedUpstream(hanging(HEAD + b"Content-Length: 10\r\n\r\n1234")) as upstream:
        answer = await begin(sender, upstream.policy())
        answer.close()
        await upstream.until_open(0)
        answer = await begin(sender, upstream.policy())
        async for _ in answer.body():
            break
        answer.close()
        await upstream.until_open(0)
        with pytest.raises(AnswerBroken):
            async for _ in answer.body():
                pass


async def test_closing_a_whole_answer_unread_keeps_the_connection(sender: HTTPSender) -> None:
    async with ScriptedUpstream(always(OK)) as upstream:
        for _ in range(3):
            answer = await begin(sender, upstream.policy())
            answer.close()
        assert upstream.connections == 1


async def test_cancelling_the_wait_for_the_head_ends_the_connection(sender: HTTPSender) -> None:
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.left()

    async with ScriptedUpstream(script) as upstream:
        task = asyncio.create_task(call(sender, upstream.policy()))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.until_open(0)


async def test_cancelling_the_wait_for_the_body_ends_the_connection(sender: HTTPSender) -> None:
    begun = asyncio.Event()

    async with ScriptedUpstream(hanging(HEAD + b"Content-Length: 10\r\n\r\n1234")) as upstream:

        async def read() -> None:
            answer = await begin(sender, upstream.policy())
            async for _ in answer.body():
                begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.until_open(0)


async def test_closing_the_sender_ends_what_is_under_way() -> None:
    sender = HTTPSender()
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.left()

    async with ScriptedUpstream(script) as upstream:
        task = asyncio.create_task(call(sender, upstream.policy()))
        await asked.wait()
        idle = await line_to(sender, upstream.policy())
        await sender.close()
        with pytest.raises(AnswerBroken) as caught:
            await task
        assert caught.value.sent
        with pytest.raises(Unreachable):
            await idle.send("GET", "/", HOST, b"", size=0, timeout_seconds=5)
        await upstream.until_open(0)
