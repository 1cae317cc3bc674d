"""What callers and upstreams write is never taken for our word, and never a line or room of its own."""

import gzip
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restante.core.errors import NoRoute
from restante.core.forward import target
from restante.core.policy import Policy, Route, Upstream
from restante.core.status import Dialect
from restante.gateway.rooms import ASYNC, OURS, Place, Room, Rooms

from .conftest import MakeHouse
from .house import House
from .upstream import Came, Talker
from .wire import Seen

TICKETS = Route(
    method="POST",
    path="/channel/v0/tickets",
    dialect=Dialect.TRANSACTION,
    transactions="/seller/v0/transactions",
)
BANK = Route(path="/bank/*", upstream="bank")
HERE = Upstream(host="h", port=1, authority="h", base_path="/base")
POLICY = Policy(upstreams={"default": HERE, "bank": HERE}, routes=(TICKETS, BANK))
ROOMS = Rooms(POLICY, native=True, public=True)

PARTS = [
    "/",
    "//",
    ".",
    "..",
    "%2e",
    "%2F",
    "%5c",
    "\\",
    ";",
    ";x=1",
    "-",
    "async",
    "ASYNC",
    "%61sync",
    "status",
]
PARTS += [
    "result",
    "bank",
    "BANK",
    "channel/v0/tickets",
    "seller/v0/transactions",
    "x",
    "%00",
    "%",
    "healthz",
]

paths = st.lists(st.sampled_from(PARTS), max_size=8).map(lambda parts: "/" + "".join(parts))
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])


def find(method: str, path: str) -> Place | None:
    try:
        return ROOMS.find(method, path)
    except NoRoute:
        return None


@given(methods, paths)
@example("GET", "/../-/healthz")
@example("GET", "//-/healthz")
@example("GET", "/-/healthz")
@example("POST", "/%2e%2e/-/x")
@example("GET", "/seller/v0/transactions/x")
@example("DELETE", "/status/x")
@example("POST", "/async/-/x")
def test_no_spelling_behind_async_reaches_what_the_plain_path_does_not(method: str, path: str) -> None:
    behind = find(method, ASYNC[:-1] + path)
    plain = find(method, path)
    if behind is None:
        assert plain is None or plain.room not in (Room.THROUGH, Room.SUBMIT) or path.startswith(ASYNC)
    elif behind.room is Room.TASK:
        assert plain is not None and plain.room in (Room.THROUGH, Room.SUBMIT)
        assert (behind.route, behind.rest) == (plain.route, path)
        assert target(HERE, behind.rest, "q") == target(HERE, plain.rest, "q") == f"/base{path}?q"
    else:  # ours about a task, by its prefix alone
        assert behind.room in (Room.TASK_STATUS, Room.TASK_RESULT)
        assert path.startswith(("/status/", "/result/")) and method in ("GET", "HEAD", "DELETE")


@given(methods, paths)
def test_only_the_prefix_as_it_is_spelled_is_ours(method: str, path: str) -> None:
    place = find(method, path)
    assert (place is not None and place.room is Room.NATIVE) == path.startswith(OURS)
    if place is not None and place.room in (Room.TASK, Room.TASK_STATUS, Room.TASK_RESULT):
        assert path.startswith(ASYNC)


TRICKS = [
    "/async/../-/healthz",
    "/async//-/healthz",
    "/async/%2e%2e/-/healthz",
    "/async/..%2f-/healthz",
    "/async/%2F-/healthz",
    "/async/..;/-/healthz",
    "/async/\\-\\healthz",
    "/ASYNC/-/healthz",
    "/async;x/-/healthz",
    "/async/./-/healthz",
    "/%2D/healthz",
    "/x/../-/healthz",
    "//-/healthz",
]


@pytest.mark.parametrize("path", TRICKS)
async def test_a_trick_is_a_path_like_any_other(house: House, path: str) -> None:
    """By the wire, for a plain path and behind /async/: what is run is that path, letter by letter."""
    seen = await house.ask("GET", path)
    if path.startswith("/async/"):
        assert seen.code == 202
        transaction = await house.find(seen.json["request_id"])
        assert transaction.path == path.removeprefix("/async")
        assert house.upstream.came == []
    else:
        assert (seen.code, [came.target for came in house.upstream.came]) == (200, [path])


# -- forged fields

FORGED = {
    "Restante-Transaction": "forged",
    "Restante-Attempt": "99",
    "Restante-Events-Url": "http://evil/",
    "Restante-Events-Token": "forged",
    "Restante-Status": "completed",
    "Restante-Completion": "deferred",
    "Restante-Mask": "[]",
    "Restante-Key": "secret",
    "Restante_Transaction": "forged",
    "Idempotency_Key": "forged",
    "Content_Length": "99",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "Forwarded": "for=127.0.0.1;host=evil.example;proto=https",
    "X-Original-URL": "/-/healthz",
    "X-HTTP-Method-Override": "DELETE",
}


@pytest.mark.parametrize("path", ["/x", "/async/x", "/channel/v0/tickets"])
async def test_our_fields_do_not_come_from_callers(make_house: MakeHouse, path: str) -> None:
    house = await make_house(routes=[TICKETS])
    for count in (1, 2):  # directly, and by the way of all requests
        wire = await house.wire()
        spelled = {name.upper() if count == 2 else name: value for name, value in FORGED.items()}
        if count == 2:
            spelled["Transfer-Encoding"] = "chunked"
        seen = await wire.ask("POST", path, spelled, b"2\r\n{}\r\n0\r\n\r\n" if count == 2 else b"{}")
        assert seen.code in (200, 202)
        assert b"evil" not in seen.body and b"forged" not in seen.body
        assert "evil" not in str(seen.headers)
        if path == "/x":
            sent = [name.lower() for name, _ in house.upstream.came[-1].headers]
        else:
            id = seen.json.get("request_id") or seen.json["transaction_id"]
            transaction = await house.find(id)
            assert (transaction.method, transaction.attempt) == ("POST", 0)
            (kept,) = await house.store.requests([transaction.key])
            assert kept is not None
            sent = [name.decode() for name, _ in kept.headers]
        assert not [name for name in sent if name.startswith(("restante-", "restante_"))]
        assert not {"idempotency_key", "content_length"} & set(sent)


# -- lines of our own


LINE_ENDS = ["\r\nSet-Cookie: a=1", "\n", "\r", "%0d%0aSet-Cookie:%20a=1", "\x85", "\0"]


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize(
    "path", ["/async/status/{}", "/async/result/{}", "/-/transactions/{}", "/seller/v0/transactions/{}"]
)
async def test_an_id_that_is_echoed_is_no_line_of_the_head(
    make_house: MakeHouse, path: str, end: str
) -> None:
    house = await make_house(routes=[TICKETS])
    wire = await house.wire()
    wire.write(f"GET {path.format(end)} HTTP/1.1\r\nHost: h\r\n\r\n".encode("latin-1"))
    seen = await wire.answer()
    assert seen.code in (400, 404)
    assert seen.header("set-cookie") is None
    assert isinstance(seen.json, dict)


@pytest.mark.parametrize("name", ["Host", "Restante-Tracking-Id", "Idempotency-Key", "RequestID", "Prefer"])
async def test_no_field_of_a_caller_holds_a_line_end(house: House, name: str) -> None:
    for end in ("\rSet-Cookie: a=1", "\nSet-Cookie: a=1", "\0"):
        wire = await house.wire()
        wire.write(
            f"POST /async/x HTTP/1.1\r\nHost: h\r\n{name}: a{end}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        seen = await wire.answer()
        assert (seen.code, seen.header("set-cookie")) == (400, None)
    assert house.store.queued == 0


async def test_a_transactions_path_that_is_handed_out_is_the_routes(make_house: MakeHouse) -> None:
    house = await make_house(routes=[TICKETS])
    wire = await house.wire()
    seen = await wire.ask("POST", "/channel/v0/tickets?x=%0d%0aX:1", {}, b"{}")
    assert seen.header("location") == f"/seller/v0/transactions/{seen.json['transaction_id']}"


# -- what upstreams answer

OK = b"HTTP/1.1 200 OK\r\n"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
BROKEN_ANSWERS = {
    "length and chunks": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
    "a length with a plus": OK + b"Content-Length: +5\r\n\r\nhello",
    "a length as a list": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "a length in hex": OK + b"Content-Length: 0x5\r\n\r\nhello",
    "xchunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a folded field": OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "a folded coding": OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a bare LF": OK + b"X: a\nContent-Length: 2\r\n\r\nok",
    "a bare CR": OK + b"X: a\rContent-Length: 2\r\n\r\nok",
    "a NUL": OK + b"X: a\0\r\nContent-Length: 2\r\n\r\nok",
    "a space before the colon": OK + b"Content-Length : 2\r\n\r\nok",
    "a field without a name": OK + b": 2\r\n\r\n",
    "a chunk size with a sign": OK + b"Transfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n",
    "a chunk size over 64 bits": OK
    + b"Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nok\r\n0\r\n\r\n",
    "a bare LF behind a chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n",
    "a length among the trailers": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 9\r\n\r\n"
    ),
    "HTTP/0.9": b"hello",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN_ANSWERS)
async def test_an_answer_that_can_be_read_in_two_ways_is_none_and_its_connection_is_not_used_again(
    house: House, name: str
) -> None:
    connections: list[list[Came]] = []

    async def talk(talker: Talker) -> None:
        came: list[Came] = []
        connections.append(came)
        first = len(connections) == 1
        while True:
            came.append(await talker.request())
            await talker.say(BROKEN_ANSWERS[name] + EVIL if first else OK + b"Content-Length: 4\r\n\r\ngood")

    house.upstream.talk = talk
    wire = await house.wire()
    wire.request("POST", "/x", {}, b"{}")
    seen = await wire.answer()
    assert (seen.code, seen.complete) == (502, True) or not seen.complete
    assert b"evil" not in seen.body
    again = await house.ask("GET", "/y")
    assert (again.code, again.body) == (200, b"good")
    assert [len(came) for came in connections] == [1, 1]


async def test_a_line_end_in_an_answers_field_is_never_replayed(house: House) -> None:
    id = await house.submit()
    await house.end(id, headers=((b"X-Bad", b"a\r\nSet-Cookie: a=1"), (b"X-Good", b"1")))
    wire = await house.wire()
    wire.request("GET", f"/async/result/{id}")
    assert b"Set-Cookie" not in await wire.reader.read(65536)


# -- bodies that would be large

BOMB_SIZE = 64 * 1024 * 1024
BOMB = gzip.compress(bytes(BOMB_SIZE), 9)
ENCODED = {"Content-Encoding": "gzip", "Content-Type": "application/json"}


@pytest.mark.parametrize("how", ["through", "a task", "a result", "a stream"])
async def test_nothing_is_ever_decompressed(make_house: MakeHouse, how: str) -> None:
    house = await make_house(routes=[Route(path="/*", tracking_id="/id")])
    coded = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
    tracemalloc.start()
    try:
        wire = await house.wire()
        match how:
            case "through":
                seen = await wire.ask("POST", "/x", ENCODED, BOMB)
                assert house.upstream.came[0].body == BOMB
            case "a task":
                accepted: Seen = await wire.ask("POST", "/async/x", ENCODED, BOMB)
                transaction = await house.find(accepted.json["request_id"])
                (kept,) = await house.store.requests([transaction.key])
                assert kept is not None and kept.body.size == len(BOMB)
            case "a result":
                id = await house.submit()
                await house.end(id, body=BOMB, headers=((b"Content-Encoding", b"gzip"),))
                seen = await wire.ask("GET", f"/async/result/{id}")
                assert (seen.body, seen.header("content-encoding")) == (BOMB, "gzip")
            case "a stream":
                house.upstream.raw = coded + b"Content-Length: %d\r\n\r\n" % len(BOMB) + BOMB
                seen = await wire.ask("GET", "/x")
                assert (seen.body, seen.header("content-encoding")) == (BOMB, "gzip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < BOMB_SIZE // 8
