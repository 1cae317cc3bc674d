"""The way in: bodies of every size, what is refused before it is stored, and who leaves on the way."""

import asyncio

import apsw
import pytest

from restante.core.clock import HOUR
from restante.core.model import Request
from restante.core.policy import Limits, Route
from restante.core.status import Dialect
from restante.ports import REQUEST_CHUNKS

from ..stores.samples import accepted
from .conftest import MakeHouse
from .house import House

KiB = 1024
SMALL = Limits(max_body=200 * KiB)

LARGE = pytest.param(
    16 * KiB * KiB, marks=pytest.mark.sound_store("hundreds of pieces: one that is refused refuses them all")
)


async def stored(house: House, id: str) -> tuple[Request, bytes]:
    transaction = await house.find(id)
    (request,) = await house.store.requests([transaction.key])
    assert request
    body = b"".join([piece async for piece in house.service.read_request(transaction, request)])
    return request, body


async def nothing_is_left(house: House) -> bool:
    """No transaction, and no piece of a body."""
    async with asyncio.timeout(10):
        while True:
            with apsw.Connection(str(house.folder / "restante.db"), flags=apsw.SQLITE_OPEN_READONLY) as file:
                left = file.execute("SELECT (SELECT count(*) FROM chunks)").get
            if not left:
                return house.store.queued == 0
            await house.ask("GET", "/-/healthz")


def chunked(body: bytes, piece: int = 10_000) -> bytes:
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, 64 * KiB, 64 * KiB + 1, 1_000_000, LARGE])
@pytest.mark.parametrize("coding", ["length", "chunked"])
async def test_a_body_of_any_size_is_stored_as_it_came(house: House, size: int, coding: str) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    wire = await house.wire()
    if coding == "length":
        seen = await wire.ask("POST", "/async/x", {}, body)
    else:
        seen = await wire.ask("POST", "/async/x", {"Transfer-Encoding": "chunked"}, chunked(body))
    assert seen.code == 202
    request, kept = await stored(house, seen.json["request_id"])
    assert (request.body.size, kept == body) == (size, True)
    assert (request.body.inline is None) == (size > 64 * KiB)


async def test_headers_are_stored_as_they_came(house: House) -> None:
    wire = await house.wire()
    wire.write(
        b"POST /async/x HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\nX-B: \xe9\xff\r\nx-a: 2\r\n"
        b"Authorization: Basic YQ==\r\n"
        b"Connection: x-hop\r\nX-Hop: 1\r\nTE: trailers\r\nRestante-Attempt: 9\r\nRestante-Priority: 5\r\n"
        b"Idempotency-Key: k\r\nContent-Length: 2\r\n\r\n{}"
    )
    id = (await wire.answer()).json["request_id"]
    request, _ = await stored(house, id)
    assert request.headers == (
        (b"host", b"h:1"),
        (b"x-a", b"1"),
        (b"x-b", b"\xe9\xff"),
        (b"x-a", b"2"),
        (b"authorization", b"Basic YQ=="),
        (b"idempotency-key", b"k"),
    )
    assert (await house.find(id)).priority == 5


async def test_a_body_announced_too_large_is_refused_before_it_is_read(make_house: MakeHouse) -> None:
    house = await make_house(limits=SMALL)
    wire = await house.wire()
    wire.request("POST", "/async/x", {"Content-Length": str(200 * KiB + 1), "Expect": "100-continue"})
    seen = await wire.answer()  # and no `100 Continue` before it
    assert (seen.code, list(seen.json)) == (413, ["message"])
    assert seen.header("connection") == "close"


@pytest.mark.sound_store("an endless body, which cannot be sent again")
@pytest.mark.parametrize("limits", [SMALL, Limits(max_body=1000)])
async def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(
    make_house: MakeHouse, limits: Limits
) -> None:
    house = await make_house(limits=limits)
    wire = await house.wire()
    wire.request("POST", "/async/x", {"Transfer-Encoding": "chunked"})
    seen = None
    waiting = asyncio.create_task(wire.answer())
    sent = 0
    while not waiting.done() and sent < 100_000 * KiB:  # an endless body, as far as the gateway knows
        wire.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        await wire.writer.drain()
        sent += 10_000
    seen = await waiting
    assert seen.code == 413
    assert seen.header("connection") == "close"
    assert await nothing_is_left(house)


async def test_a_client_that_sends_first_and_reads_later_still_sees_its_413(make_house: MakeHouse) -> None:
    house = await make_house(limits=SMALL)
    wire = await house.wire()
    wire.request("POST", "/async/x", {}, b"x" * 10_000_000)
    await wire.writer.drain()
    seen = await wire.answer()
    assert (seen.code, seen.complete) == (413, True)
    assert await wire.closed()


async def test_a_body_at_the_limit_is_accepted(make_house: MakeHouse) -> None:
    house = await make_house(limits=SMALL)
    wire = await house.wire()
    body = b"x" * (200 * KiB)
    assert (await wire.ask("POST", "/async/x", {}, body)).code == 202
    assert (await wire.ask("POST", "/async/x", {"Transfer-Encoding": "chunked"}, chunked(body))).code == 202


@pytest.mark.sound_store("a hundred pieces: one that is refused refuses them all")
@pytest.mark.parametrize("headers", [{"Content-Length": "150000"}, {"Transfer-Encoding": "chunked"}])
async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind(
    make_house: MakeHouse, headers: dict[str, str]
) -> None:
    house = await make_house(limits=Limits(chunk=KiB, inline_body=KiB))
    wire = await house.wire()
    wire.request("POST", "/async/x", headers)
    wire.write(b"186a0\r\n" + b"x" * 100_000)
    await wire.writer.drain()
    async with asyncio.timeout(10):
        while await house.store.read_chunk(1, REQUEST_CHUNKS, 50) is None:
            pass
    wire.leave()
    assert await nothing_is_left(house)


async def test_an_expected_continue_is_given(house: House) -> None:
    wire = await house.wire()
    wire.request("POST", "/async/x", {"Expect": "100-continue", "Content-Length": "2"})
    assert (await wire.answer()).code == 100
    wire.write(b"{}")
    seen = await wire.answer()
    assert seen.code == 202
    assert (await stored(house, seen.json["request_id"]))[1] == b"{}"


async def test_a_full_queue_is_refused_with_a_time_to_wait(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(max_queued=1))
    await house.submit()
    wire = await house.wire()
    wire.request("POST", "/async/x", {"Content-Length": "100000", "Expect": "100-continue"})
    seen = await wire.answer()
    assert (seen.code, list(seen.json), seen.header("retry-after")) == (503, ["message"], "30")
    assert (await house.ask("POST", "/async/x")).code == 503


async def test_a_tenant_over_its_limit_is_refused_and_no_other(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(max_queued_per_tenant=2))
    for _ in range(3):
        await accepted(house.store, tenant="another")
    first, _ = [await house.submit() for _ in range(2)]
    wire = await house.wire()
    large = {"Content-Length": "100000", "Expect": "100-continue"}
    wire.request("POST", "/async/x", large)  # before its body is asked for
    for seen in (await wire.answer(), await house.ask("POST", "/async/x")):
        assert (seen.code, list(seen.json), seen.header("retry-after")) == (429, ["message"], "30")
        assert "max_queued_per_tenant" in seen.json["message"]
    await house.end(first)
    await house.submit()


async def test_while_it_shuts_down_nothing_is_accepted(house: House) -> None:
    house.service.accepting = False
    seen = await house.ask("POST", "/async/x")
    assert (seen.code, list(seen.json), seen.header("retry-after")) == (503, ["message"], "5")
    assert (await house.ask("GET", "/async/status/x")).code == 404  # but polls are answered


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Restante-Delay", "soon"),
        ("Restante-Delay", "25h"),
        ("Restante-Deadline", "0s"),
        ("Restante-Deadline", "25h"),
        ("Restante-Delay", "24h"),
        ("Restante-Priority", "1000"),
        ("Restante-Priority", "1_0"),
        ("Restante-Priority", "+5"),
        ("Restante-Tracking-Id", "x" * 256),
        ("Restante-Callback-Url", "http://10.0.0.1/"),
        ("Idempotency-Key", '""'),
        ("RequestID", "x" * 256),
    ],
)
async def test_a_bad_option_is_refused_by_name(house: House, field: str, value: str) -> None:
    wire = await house.wire()
    seen = await wire.ask("POST", "/async/x", {field: value}, b"{}")
    assert (seen.code, list(seen.json), seen.json["field"]) == (400, ["message", "field"], field)
    assert field in seen.json["message"]
    assert house.store.queued == 0
    assert (await wire.ask("POST", "/async/x", {}, b"{}")).code == 202  # on the same connection


async def test_a_misspelt_option_is_no_secret(house: House) -> None:
    wire = await house.wire()
    seen = await wire.ask("POST", "/async/x", {"Restante-Dealy": "10m"}, b"{}")
    assert (seen.code, seen.json["field"]) == (400, "restante-dealy")
    behind_another = {"Restante-Transaction": "x", "Restante-Attempt": "1", "Restante-Events-Token": "t"}
    assert (await wire.ask("POST", "/async/x", behind_another, b"{}")).code == 202


async def test_an_option_must_be_given_once(house: House) -> None:
    wire = await house.wire()
    wire.write(
        b"POST /async/x HTTP/1.1\r\nHost: h\r\nRestante-Delay: 1m\r\nRestante-Delay: 1s\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    seen = await wire.answer()
    assert (seen.code, seen.json["field"]) == (400, "Restante-Delay")


@pytest.mark.parametrize("field", ["Idempotency-Key", "Host"])
async def test_what_must_be_given_once_is_refused_twice(house: House, field: str) -> None:
    wire = await house.wire()
    fields = f"Host: h\r\nIdempotency-Key: a\r\n{field}: b\r\n"
    wire.write(f"POST /async/x HTTP/1.1\r\n{fields}\r\n".encode())
    seen = await wire.answer()
    assert (seen.code, seen.json["field"]) == (400, field)


# -- where a request enters

TICKETS = Route(
    method="POST",
    path="/channel/v0/tickets",
    dialect=Dialect.TRANSACTION,
    transactions="/seller/v0/transactions",
)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/-/healthz", "/-/", "/async/x", "/async/status/1", "/async/async/x"])
async def test_what_the_plain_path_would_not_reach_no_spelling_reaches(
    house: House, method: str, path: str
) -> None:
    seen = await house.ask(method, "/async" + path)
    assert (seen.code, list(seen.json)) == (404, ["message"])
    assert house.store.queued == 0


async def test_a_transactions_path_cannot_be_called_through_async(make_house: MakeHouse) -> None:
    house = await make_house(routes=[TICKETS])
    for path in ("/seller/v0/transactions", "/seller/v0/transactions/1", "/seller/v0/transactions/1/2?x=1"):
        for method in ("GET", "HEAD"):
            assert (await house.ask(method, "/async" + path)).code == 404
        assert (await house.ask("POST", "/async" + path)).code == 202  # its plain path reaches the upstream
    assert (await house.ask("GET", "/async/seller/v0/transactionsX")).code == 202


async def test_in_strict_mode_what_no_route_matches_is_404(make_house: MakeHouse) -> None:
    house = await make_house(routes=[Route(method="POST", path="/payments")], strict=True)
    assert (await house.ask("POST", "/async/payments")).code == 202
    assert (await house.ask("POST", "/payments")).code == 200
    for method, path in (
        ("POST", "/async/Payments"),
        ("GET", "/async/payments"),
        ("POST", "/async/payments/"),
        ("POST", "/async//payments"),
        ("POST", "/%61sync/payments"),
        ("GET", "/"),
    ):
        seen = await house.ask(method, path)
        assert (seen.code, list(seen.json)) == (404, ["message"])


async def test_under_async_the_dialect_is_task_whatever_the_route_says(make_house: MakeHouse) -> None:
    house = await make_house(routes=[TICKETS])
    seen = await house.ask("POST", "/async/channel/v0/tickets")
    assert list(seen.json) == ["status", "request_id", "status_url", "response_url"]
    assert (await house.find(seen.json["request_id"])).dialect is Dialect.TASK
    await house.clock.advance(HOUR)


@pytest.mark.parametrize("path", ["/x", "/async/x"])
async def test_a_websocket_is_refused_clearly(house: House, path: str) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "a",
        "Sec-WebSocket-Version": "13",
    }
    seen = await house.ask("GET", path, headers)
    assert (seen.code, list(seen.json), seen.header("connection")) == (501, ["message"], "close")
    assert house.store.queued == 0


@pytest.mark.parametrize("path", ["/x", "/async/x"])
async def test_a_transfer_coding_that_is_not_undone_is_refused(house: House, path: str) -> None:
    wire = await house.wire()
    seen = await wire.ask("POST", path, {"Transfer-Encoding": "gzip, chunked"}, b"2\r\n{}\r\n0\r\n\r\n")
    assert seen.code in (400, 501)
    assert house.store.queued == 0
    assert house.upstream.came == []


async def test_an_offer_that_makes_no_sense_costs_no_body(house: House) -> None:
    wire = await house.wire()
    seen = await wire.ask("POST", "/async/x", {"Connection": "Upgrade", "Upgrade": "websocket"}, b"{}")
    assert (await stored(house, seen.json["request_id"]))[1] == b"{}"


@pytest.mark.parametrize("arrives", ["at once", "in pieces"])
async def test_an_offer_of_http2_is_passed_over_and_the_body_kept(house: House, arrives: str) -> None:
    """What Java's HTTP client sends by default."""
    wire = await house.wire()
    request = (
        b"POST /async/x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 13\r\nHost: h\r\n"
        b"HTTP2-Settings: AAEAAEAAAAIAAAAB\r\nUpgrade: h2c\r\nX-A: \xe9\r\n\r\n"
    )
    body = b'{"request":1}'
    if arrives == "at once":
        wire.write(request + body)
    else:
        wire.write(request)
        await house.ask("GET", "/-/healthz")
        wire.write(body[:5])
        await house.ask("GET", "/-/healthz")
        wire.write(body[5:])
    seen = await wire.answer()
    assert seen.code == 202
    request_, kept = await stored(house, seen.json["request_id"])
    assert kept == body
    assert request_.headers == ((b"host", b"h"), (b"x-a", b"\xe9"))
    assert (await wire.ask("POST", "/async/x", {}, b"second")).code == 202
