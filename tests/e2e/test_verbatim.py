"""Verbatim means verbatim, seen with a raw socket at both ends; and what a broken upstream becomes."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from .harness import Call, Process, RecordingUpstream, caller, serving, settled

Raw = tuple[int, list[tuple[bytes, bytes]], bytes]


class Front:
    """The gateway, spoken to in raw bytes, and the upstream behind it."""

    def __init__(self, upstream: RecordingUpstream, gateway: Process) -> None:
        self.upstream, self.gateway, self.url = upstream, gateway, gateway.url
        self.client = caller(base_url=gateway.url)

    async def raw(self, request: bytes) -> Raw:
        """One request on a connection of its own; the answer's code, header fields and body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
        writer.write(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        head = (await reader.readuntil(b"\r\n\r\n")).rstrip(b"\r\n").split(b"\r\n")
        headers = [tuple(line.split(b": ", 1)) for line in head[1:]]
        headers = [pair for pair in headers if pair != (b"connection", b"close")]
        size = dict(headers).get(b"content-length")
        empty = request.startswith(b"HEAD ") or size is None
        rest = await (reader.read() if empty else reader.readexactly(int(size)))
        writer.close()
        if (b"transfer-encoding", b"chunked") in headers:
            rest = unchunked(rest)
        return int(head[0].split(b" ")[1]), headers, rest

    async def submit(self, request: bytes) -> str:
        """Sends a raw submit; the id."""
        code, _, body = await self.raw(request)
        assert code == 202, body
        return re.search(rb'"request_id":"([^"]+)"', body)[1].decode()

    async def result(self, id: str) -> Raw:
        await settled(self.client, self.url, id)
        return await self.raw(get(f"/async/result/{id}"))


def unchunked(rest: bytes) -> bytes:
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not int(size, 16):
            return body
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: pay.example\r\n\r\n".encode()


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Front]]]:
    made: list[Front] = []

    async def front(answer: Callable[[Call], bytes | None], config: str = "") -> Front:
        upstream = await RecordingUpstream(answer).__aenter__()
        (tmp_path / "restante.toml").write_text(config or "[upstream]\nretry = { attempts = 1 }\n")
        made.append(Front(upstream, await serving(upstream.url, tmp_path).ready()))
        return made[-1]

    yield front
    for one in made:
        await one.client.aclose()
        await one.gateway.kill()
        await one.upstream.__aexit__()


ODD = (
    b"HTTP/1.1 201 Whatever\r\nX-Twice: 1\r\nContent-Type: text/plain; charset=latin-1\r\nx-twice: 2\r\n"
    b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Name: caf\xe9 \xf0\x9f\x98\x80\r\n"
    b"Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 256\r\n\r\n"
) + bytes(range(256))


async def both_ways(front: Front, path: str) -> list[Raw]:
    """The same request straight through and through `/async`."""
    plain = await front.raw(get(path))
    id = await front.submit(get("/async" + path))
    return [plain, await front.result(id)]


async def test_status_duplicate_headers_in_order_odd_bytes_and_a_binary_body_come_back(make) -> None:
    front = await make(lambda call: ODD)
    for code, headers, body in await both_ways(front, "/odd"):
        assert code == 201
        assert body == bytes(range(256))
        assert [pair for pair in headers if pair[0] != b"content-length"] == [
            (b"x-twice", b"1"),
            (b"content-type", b"text/plain; charset=latin-1"),
            (b"x-twice", b"2"),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"x-name", b"caf\xe9 \xf0\x9f\x98\x80"),
        ]


async def test_compressed_bodies_are_left_as_they_are(make) -> None:
    packed = gzip.compress(b"hello" * 1000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    front = await make(lambda call: answer)
    for code, headers, body in await both_ways(front, "/packed"):
        assert (code, body) == (200, packed)
        assert (b"content-encoding", b"gzip") in headers


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n", 204),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\nETag: x\r\n\r\n", 304),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
    ],
)
async def test_answers_without_a_body(make, answer: bytes, code: int) -> None:
    front = await make(lambda call: answer)
    for got, _, body in await both_ways(front, "/empty"):
        assert (got, body) == (code, b"")


async def test_a_chunked_answer_comes_back_whole(make) -> None:
    front = await make(
        lambda call: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    for code, _, body in await both_ways(front, "/chunked"):
        assert (code, body) == (200, b"abcde")


async def test_a_head_request_gets_a_head(make) -> None:
    front = await make(lambda call: b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: x\r\n\r\n")
    head = b"HEAD %b HTTP/1.1\r\nHost: pay.example\r\n\r\n"
    code, headers, body = await front.raw(head % b"/doc")
    assert (code, body) == (200, b"") and (b"content-length", b"1000") in headers
    accepted = await front.client.head("/async/doc")
    id = accepted.headers["location"].rsplit("/", 1)[1]
    code, headers, body = await front.result(id)
    assert (code, body) == (200, b"") and (b"etag", b"x") in headers
    assert front.upstream.calls[-1].method == "HEAD"


async def test_the_request_reaches_the_upstream_as_it_was(make) -> None:
    front = await make(lambda call: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    body = bytes(range(256))
    request = (
        b"PATCH /async/a%%2Fb//c/../d?x=%%20&y=%%zz&x HTTP/1.1\r\nHost: pay.example\r\nX-Twice: 1\r\n"
        b"X-Name: caf\xe9\r\nx-twice: 2\r\nAuthorization: Basic abc\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
        b"TE: trailers\r\nRestante-Attempt: 99\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body
    id = await front.submit(request)
    await settled(front.client, front.url, id)
    (call,) = front.upstream.calls
    assert (call.method, call.target, call.body) == ("PATCH", "/a%2Fb//c/../d?x=%20&y=%zz&x", body)
    names = [name for name, _ in call.headers]
    assert [value for name, value in call.headers if name == "x-twice"] == ["1", "2"]
    assert call.header("x-name") == "caf\xe9"
    assert call.header("authorization") == "Basic abc"
    assert call.header("host") == front.upstream.url.removeprefix("http://")
    assert call.header("restante-attempt") == "1"
    assert not {"x-hop", "te", "connection"} & set(names)


async def test_sixteen_mebibytes_go_and_come_back(make) -> None:
    body = bytes(range(256)) * 4096 * 16
    front = await make(
        lambda call: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(call.body) + call.body
    )
    accepted = await front.client.post("/async/echo", content=body, timeout=60)
    assert accepted.status_code == 202
    code, _, came = await front.result(accepted.json()["request_id"])
    assert code == 200 and came == body


async def test_a_body_over_the_limit_is_refused_before_it_is_read(make) -> None:
    front = await make(lambda call: None)
    for length in (b"Content-Length: 16777217\r\n", b"Content-Length: 99999999999999\r\n"):
        code, _, body = await front.raw(b"POST /async/x HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n")
        assert code == 413 and b'"message"' in body
    assert front.upstream.calls == []


BROKEN = {
    "hangs up": (None, 502),
    "hangs up in the head": (b"HTTP/1.1 200 OK\r\nContent-", 502),
    "sends garbage": (b"\x16\x03\x01\x02\x00 what is this\r\n\r\n", 502),
    "sends too little": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", 502),
    "sends a bad chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", 502),
    "sends two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502),
    "sends an endless head": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, 502),
    "sends a status that is none": (b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", 502),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_answer_fails_with_an_event_that_says_what_happened(make, how: str) -> None:
    answer, code = BROKEN[how]

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is not None:
            writer.write(answer)
            await writer.drain()
        writer.close()

    front = await make(lambda call: None)
    front.upstream._server.close()
    port = int(front.upstream.url.rsplit(":", 1)[1])
    async with await asyncio.start_server(served, "127.0.0.1", port):
        id = await front.submit(b"POST /async/x HTTP/1.1\r\nHost: pay.example\r\nContent-Length: 2\r\n\r\n{}")
        found = await settled(front.client, front.url, id)
    assert (found["status"], found["outcome"]) == ("failed", "interrupted")
    message = found["events"][-1]["message"]
    assert "unknown" in message and "Traceback" not in message and "Error" not in message
    got, _, body = await front.raw(get(f"/async/result/{id}"))
    assert (got, body) == (code, b'{"message":"We\'re sorry, but something went wrong"}')
