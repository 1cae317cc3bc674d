"""Bytes on a socket: requests that are broken in one, two or three places, whole and cut off.

Whatever comes is answered or the connection is closed, soon; what is answered is no error of ours; and when
it is over, the server holds what it held before.
"""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from ..gateway.corpus import REFUSED, SECOND, SERVED
from .conftest import BAD, SHARES
from .server import LIST, Served, sound

pytestmark = pytest.mark.fuzz

AT_ONCE = 64
PATIENCE_SECONDS = 60
"""Waited for one by one, so that they are seconds in which this process runs: others use the machine as well,
or stop what is at work on it. The server itself gives nobody longer than a second here."""

WARM = 0.2
"""The part of the inputs after which it is looked what a server holds: by then all there is was made once."""

ALL_CODES = 4000
"""Of so many inputs each kind of answer is among the answers; of fewer one may be missing."""

MOST = 1 << 20
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) ")
NOT_SERVED = b"501"
LAST = b"GET /-/healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

TARGETS = (
    b"/x",
    b"/async/x",
    b"/tickets/1",
    b"/told/1",
    b"/async/status/x",
    b"/async/result/x",
    LIST.encode(),
    b"/-/transactions",
    b"/-/transactions/x",
    b"/-/events?after=1",
    b"/-/endpoints",
    b"/-/keys",
)

FIELDS = (
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Host: other",
    b"Connection: close",
    b"Connection: upgrade, host, content-length",
    b"Upgrade: h2c",
    b"Upgrade: websocket",
    b"Expect: 100-continue",
    b"Expect: 200-ok",
    b"Prefer: respond-async",
    b'Prefer: wait=0, "',
    b'Idempotency-Key: "a',
    b"RequestID: a",
    b"Restante-Delay: -1s",
    b"Restante-Deadline: 0s",
    b"Restante-Priority: 1000",
    b"Restante-Tracking-Id: ",
    b"Restante-Callback-Url: http://127.1/",
    b"Restante-Nothing: 1",
    b"Restante-Key: rst_x",
    b"Authorization: Basic !!!",
    b"Origin: null",
    b"Cookie: a=b",
    b"X-Forwarded-For: \x80\xff",
    b" folded: yes",
    b"no colon",
    b": no name",
    b"X: a\rb",
    b"X: a\x00b",
)

TOKENS = (
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b"\t", b"\x0b", b"\x7f", b"\x80", b"\xff", b":",
    b",", b";", b"/", b"//", b"/../", b"%00", b"%2e%2e%2f", b"\\", b"?", b"#", b"@", b"*", b"-", b"+",
    b"0", b"f", b'"', b"HTTP/1.1", b"HTTP/1.0", b"http://h", b"CONNECT ", b"{}", b"[" * 200,
    b"a" * 70_000, b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"0x1\r\n", b"-1\r\n",
)  # fmt: skip

BODIES = (
    b"",
    b"{}",
    b"\xff\xfe",
    b"[" * 5000,
    b'{"a":' * 500,
    b'{"url":5}',
    b'{"url":"http://[::1"}',
    b'{"id":{"$ne":1}}',
    b'{"tenant":"\\ud800","scopes":["read"]}',
    b'{"url":"https://a.example/","filters":{"status":"all","operation":[[]]}}',
    b"null",
    b"1e999",
)

Breaking = Callable[[random.Random, bytes], bytes]


def whole(chance: random.Random) -> bytes:
    """A request in good order, to a call that there is."""
    body = chance.choice(BODIES)
    method = chance.choice((b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS"))
    head = b"%b %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    return head % (method, chance.choice(TARGETS), len(body)) + body


def with_a_field(chance: random.Random, raw: bytes) -> bytes:
    line, end, rest = raw.partition(b"\r\n")
    return line + end + chance.choice(FIELDS) + b"\r\n" + rest


def with_a_token(chance: random.Random, raw: bytes) -> bytes:
    place = chance.randrange(len(raw) + 1)
    return raw[:place] + chance.choice(TOKENS) + raw[place:]


def with_another_byte(chance: random.Random, raw: bytes) -> bytes:
    place = chance.randrange(len(raw))
    return raw[:place] + bytes([chance.randrange(256)]) + raw[place + 1 :]


def without_some(chance: random.Random, raw: bytes) -> bytes:
    place = chance.randrange(len(raw))
    return raw[:place] + raw[place + chance.randint(1, 8) :]


def broken_off(chance: random.Random, raw: bytes) -> bytes:
    return raw[: chance.randrange(1, len(raw) + 1)]


def with_lines_moved(chance: random.Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\r\n".join(lines)


def with_a_line_twice(chance: random.Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return b"\r\n".join(lines)


BREAKINGS: tuple[Breaking, ...] = (
    with_a_field,
    with_a_token,
    with_a_token,
    with_another_byte,
    without_some,
    broken_off,
    with_lines_moved,
    with_a_line_twice,
)


def requests(chance: random.Random) -> Iterator[bytes]:
    """First all that is known to be bad, then for ever what is broken of that and of what is good."""
    known = [*REFUSED.values(), *(raw for raw, _ in SERVED.values())]
    for raw in REFUSED.values():
        yield raw.replace(b"%t", chance.choice(TARGETS)) + SECOND
    while True:
        raw = whole(chance) if chance.random() < 0.5 else chance.choice(known)
        raw = raw.replace(b"%t", chance.choice(TARGETS)) or b"\r\n"
        for _ in range(chance.randint(1, 3)):
            raw = chance.choice(BREAKINGS)(chance, raw) or b"\0"
        yield raw + chance.choice((b"", SECOND, LAST))


class Caller(asyncio.Protocol):
    """Writes one input and keeps what comes until the connection is closed."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.came = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self.raw)

    def data_received(self, data: bytes) -> None:
        if len(self.came) < MOST:
            self.came += data

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    async def ended(self) -> bool:
        """Whether it is closed in time."""
        for _ in range(PATIENCE_SECONDS):
            if (await asyncio.wait([self.closed], timeout=1.0))[0]:
                return True
        return False


async def send(served: Served, source: Iterator[bytes], count: int, codes: Counter[bytes]) -> int:
    """Sends, many at once, until `count` were refused; how many were. What went wrong names the input."""
    refused = sent = 0

    async def each() -> None:
        nonlocal refused, sent
        while refused < count and sent < 3 * count:
            raw = next(source)
            sent += 1
            _, caller = await asyncio.get_running_loop().create_connection(
                lambda raw=raw: Caller(raw),  # type: ignore[misc]
                "127.0.0.1",
                served.port,
            )
            if not await caller.ended():
                end = f"no end to {raw[:500]!r}: {caller.came[:500]!r}"
                raise AssertionError(f"{end}, while it was here: {served.stack()}")
            found = ANSWER.findall(caller.came)
            refused += not found or max(found) >= b"400"
            for code in found:
                codes[code] += 1
                assert code < b"500" or code == NOT_SERVED, (raw, caller.came)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(each())
    return refused


async def test_whatever_is_written_is_answered_or_cut_off(
    served: Served, inputs: int, record_property: Callable[[str, object], None]
) -> None:
    count = int(inputs * SHARES["wire"])
    source = requests(random.Random(6))
    codes: Counter[bytes] = Counter()
    refused = await send(served, source, int(count * WARM), codes)
    before = served.held()
    refused += await send(served, source, count - refused, codes)
    after = served.held()
    sound(before, after, served.log())
    assert refused >= count
    if count >= ALL_CODES:
        assert min(codes[code] for code in (b"200", b"202", b"400", b"404", b"405", b"408", b"431")) > 0, (
            codes
        )
    record_property(BAD, refused)
