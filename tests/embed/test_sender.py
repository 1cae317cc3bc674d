"""A `Sender` without a connection: what holds of one with, holds of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from restante.core.errors import AnswerBroken, NoAnswerInTime, StoreUnavailable, Unreachable, UpstreamError
from restante.core.policy import Upstream
from restante.embed.exchange import MAX_UNREAD
from restante.embed.sender import AppSender
from restante.outbound import HTTPSender
from restante.ports import Answer

HERE = Upstream(host="localhost", port=80, authority="localhost")
HEADERS = ((b"Host", b"app.example"), (b"X-Twice", b"1"), (b"x-twice", b" \xff2"))


def sender(app: Any) -> AppSender:
    return AppSender({"default": app}, beside=HTTPSender(), grace_seconds=5)


async def ask(
    app: Any,
    method: str = "POST",
    target: str = "/a%20b/%C3%BC?x=%2F",
    body: bytes | AsyncIterator[bytes] = b"hello",
    *,
    size: int | None = 5,
    timeout_seconds: float = 10,
    there: AppSender | None = None,
) -> Answer:
    there = there or sender(app)
    line = await there.connect(HERE, max_idle_seconds=None, timeout_seconds=1)
    return await line.send(method, target, HEADERS, body, size=size, timeout_seconds=timeout_seconds)


async def everything(answer: Answer) -> bytes:
    return b"".join([piece async for piece in answer.body()])


def answering(*pieces: bytes, status: int = 200, headers: Any = ()) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_a_request_reaches_the_application_byte_for_byte() -> None:
    seen = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        seen["messages"] = [await receive()]
        await answering()(scope, receive, send)
        seen["messages"].append(await receive())

    await everything(await ask(app))
    assert seen["method"] == "POST"
    assert seen["raw_path"] == b"/a%20b/%C3%BC"
    assert seen["path"] == "/a b/ü"
    assert seen["query_string"] == b"x=%2F"
    assert seen["headers"] == [
        (b"host", b"app.example"),
        (b"x-twice", b"1"),
        (b"x-twice", b" \xff2"),
        (b"content-length", b"5"),
    ]
    assert seen["messages"] == [
        {"type": "http.request", "body": b"hello", "more_body": False},
        {"type": "http.disconnect"},
    ]


@pytest.mark.parametrize(
    ("method", "size", "field"),
    [
        ("GET", 0, None),
        ("DELETE", 0, None),
        ("POST", 0, (b"content-length", b"0")),
        ("PUT", None, (b"transfer-encoding", b"chunked")),
    ],
)
async def test_framing_is_what_a_connection_would_have(method: str, size: int | None, field: Any) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(scope["headers"])
        await answering()(scope, receive, send)

    await everything(await ask(app, method, body=b"", size=size))
    assert [pair for pair in seen if pair[0] in (b"content-length", b"transfer-encoding")] == (
        [field] if field else []
    )


async def test_a_body_comes_piece_by_piece_and_ends() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        messages = [await receive() for _ in range(3)]
        body = b"|".join(message["body"] for message in messages)
        await answering(body, b"%r" % [message["more_body"] for message in messages])(scope, receive, send)

    answer = await ask(app, body=pieces_of(b"one", b"", b"two"), size=None)
    assert await everything(answer) == b"one|two|[True, True, False]"


@pytest.mark.parametrize("pieces", [(b"four",), (b"four", b"four")])
async def test_a_body_of_another_length_than_announced_is_a_mistake_of_the_caller(pieces: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with pytest.raises(ValueError, match="than announced"):
        await ask(app, body=pieces_of(*pieces), size=5)


async def test_what_the_body_raises_ends_the_exchange_with_just_that() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        raise StoreUnavailable("gone")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with pytest.raises(StoreUnavailable):
        await ask(app, body=body(), size=5)


async def test_an_answer_comes_back_byte_for_byte() -> None:
    headers = [(b"X-Twice", b"a"), (b"x-twice", b"b\xff"), (b"content-length", b"6")]
    answer = await ask(answering(b"one", b"two", status=418, headers=headers))
    assert (answer.status, list(answer.headers), answer.size) == (418, headers, 6)
    assert await everything(answer) == b"onetwo"


async def test_an_answer_to_head_has_no_body() -> None:
    answer = await ask(answering(b"one", headers=[(b"content-length", b"3")]), "HEAD", "/", body=b"", size=0)
    assert answer.size == 0
    assert await everything(answer) == b""


async def test_an_application_that_gives_more_than_is_fetched_waits() -> None:
    given = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal given
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(64):
            await send({"type": "http.response.body", "body": b"x" * 16384, "more_body": True})
            given += 16384
        await send({"type": "http.response.body"})

    answer = await ask(app)
    for _ in range(100):
        await asyncio.sleep(0)
    assert given <= MAX_UNREAD
    assert len(await everything(answer)) == 64 * 16384


async def test_what_an_application_raises_before_its_answer_is_a_500() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("a secret")

    answer = await ask(app)
    assert answer.status == 500
    assert await everything(answer) == b"Internal Server Error"


async def test_no_answer_is_a_500() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    assert (await ask(app)).status == 500


async def test_an_answer_that_is_broken_off_is_none() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("a secret")

    answer = await ask(app)
    with pytest.raises(AnswerBroken) as broken:
        await everything(answer)
    assert broken.value.sent
    assert "secret" not in broken.value.message


@pytest.mark.parametrize("length", [b"2", b"4"])
async def test_an_answer_of_another_length_than_announced_is_broken(length: bytes) -> None:
    answer = await ask(answering(b"one", headers=[(b"content-length", length)]))
    with pytest.raises(AnswerBroken):
        await everything(answer)


@pytest.mark.parametrize(
    ("status", "headers"),
    [(99, []), (200, [(b"a b", b"")]), (200, [(b"a", b"b\r\nc: d")]), (200, [(b"content-length", b"x")])],
)
async def test_a_head_that_could_not_be_sent_is_none(status: int, headers: Any) -> None:
    assert (await ask(answering(status=status, headers=headers))).status == 500


async def test_time_is_up_for_an_application_that_does_not_answer() -> None:
    given_up = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    with pytest.raises(NoAnswerInTime) as late:
        await ask(app, timeout_seconds=0.01)
    assert late.value.sent
    await asyncio.wait_for(given_up.wait(), 5)


async def test_time_counts_to_the_last_byte() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"

    answer = await ask(app, timeout_seconds=0.05)
    with pytest.raises(NoAnswerInTime):
        await everything(answer)


async def test_who_is_given_up_on_is_told_so() -> None:
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    answer = await ask(app)
    answer.close()
    await asyncio.wait_for(ended.wait(), 5)
    with pytest.raises(AnswerBroken):
        await everything(answer)


async def test_what_follows_an_answer_is_let_go_on_and_waited_for() -> None:
    go_on, done = asyncio.Event(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering(b"ok")(scope, receive, send)
        await go_on.wait()
        done.append(True)

    there = sender(app)
    assert await everything(await ask(app, there=there)) == b"ok"
    asyncio.get_running_loop().call_later(0.01, go_on.set)
    await there.close()
    assert done
    with pytest.raises(Unreachable):
        await ask(app, there=there)


async def test_nothing_of_the_callers_context_reaches_the_application() -> None:
    from contextvars import ContextVar

    mine: ContextVar[str] = ContextVar("mine", default="nothing")
    mine.set("something")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering(mine.get().encode())(scope, receive, send)

    assert await everything(await ask(app)) == b"nothing"


@pytest.mark.parametrize("target", ["", "/a b", "/a\r\nb"])
async def test_what_could_not_be_written_on_a_connection_is_not_sent(target: str) -> None:
    called = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        called.append(True)

    with pytest.raises(ValueError, match=r"target|line end"):
        await ask(app, target=target)
    assert not called


async def test_an_upstream_elsewhere_is_spoken_to_over_a_connection() -> None:
    there = sender(answering())
    elsewhere = Upstream(name="bank", host="127.0.0.1", port=1, authority="127.0.0.1:1")
    with pytest.raises(UpstreamError) as error:
        await there.connect(elsewhere, max_idle_seconds=None, timeout_seconds=1)
    assert not error.value.sent


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_an_application_that_exits_is_one_that_raised(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise kind(3)

    answer = await ask(app)
    assert (answer.status, await everything(answer)) == (500, b"Internal Server Error")
    assert "the application raised" in caplog.text
