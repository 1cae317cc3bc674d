"""One request is one request: for us, for the upstream, and for whoever comes next on the connection."""

import asyncio
import json

import h11
import pytest

from restante.core.policy import Route
from restante.core.status import Dialect

from ..matrix import rows
from .conftest import MakeHouse
from .corpus import HIDDEN, REFUSED, SECOND, SERVED
from .house import House
from .upstream import Talker
from .wire import Seen, Wire

TICKETS = Route(
    path="/tickets", dialect=Dialect.TRANSACTION, transactions="/transactions", tracking_id="X-Tracking"
)
TARGETS = {"through": b"/x", "task": b"/async/x", "transaction": b"/tickets"}

WAYS = pytest.mark.parametrize(
    ("room", "how"),
    rows(
        [(room, how) for room in TARGETS for how in ("at once", "by the byte")],
        quick=lambda way: way == ("task", "at once"),
    ),
)


class Recorder:
    """An upstream that has another parser's opinion of what comes in, and answers each request once."""

    def __init__(self) -> None:
        self.whole: list[tuple[str, bytes, list[tuple[bytes, bytes]]]] = []  # target, body, fields
        self.broken = 0  # requests that were begun and never ended

    async def talk(self, talker: Talker) -> None:
        theirs = h11.Connection(h11.SERVER)
        target, body, fields = "", b"", []
        while True:
            match theirs.next_event():
                case h11.NEED_DATA:
                    data = await talker.reader.read(65536)
                    if not data and theirs.their_state is h11.SEND_BODY:
                        self.broken += 1
                    if not data:
                        return
                    theirs.receive_data(data)
                case h11.Request() as request:
                    target, body, fields = request.target.decode(), b"", list(request.headers)
                case h11.Data() as piece:
                    body += piece.data
                case h11.EndOfMessage() as end:
                    assert not end.headers  # trailers
                    self.whole.append((target, body, fields))
                    theirs.send(h11.Response(status_code=200, headers=[("Content-Length", "2")]))
                    theirs.send(h11.Data(data=b"ok"))
                    theirs.send(h11.EndOfMessage())
                    await talker.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    theirs.start_next_cycle()

    @property
    def targets(self) -> list[str]:
        return [target for target, _, _ in self.whole]


@pytest.fixture
async def recorded(make_house: MakeHouse) -> tuple[House, Recorder]:
    house = await make_house(routes=[TICKETS])
    recorder = Recorder()
    house.upstream.talk = recorder.talk
    return house, recorder


async def ask(wire: Wire, raw: bytes, how: str) -> Seen:
    """The first answer to `raw`; where that is there before all is written, no more is until it is read."""
    answer = asyncio.create_task(wire.answer())
    size = len(raw) if how == "at once" else 1  # or in as many reads as the kernel makes of it
    for place in range(0, len(raw), size):
        if answer.done() and answer.result().header("connection") == "close":
            break
        wire.write(raw[place : place + size])
        await asyncio.sleep(0)
    return await answer


@WAYS
async def test_what_can_be_read_in_two_ways_is_refused(
    recorded: tuple[House, Recorder], room: str, how: str
) -> None:
    house, recorder = recorded
    for name, raw in REFUSED.items():
        wire = await house.wire()
        seen = await ask(wire, raw.replace(b"%t", TARGETS[room]) + SECOND, how)
        assert seen.code in (400, 413, 501), (name, seen)
        assert seen.header("connection") == "close", name
        assert "message" in json.loads(seen.body), name
        assert await wire.closed(), name
        assert recorder.whole == [], name
        assert house.store.queued == 0, name


@pytest.mark.sound_store("two requests are written at once, and neither can be asked again alone")
@WAYS
async def test_what_is_served_is_one_request_and_the_next_is_another(
    recorded: tuple[House, Recorder], room: str, how: str
) -> None:
    house, recorder = recorded
    for count, (name, (raw, body)) in enumerate(SERVED.items(), 1):
        wire = await house.wire()
        first = await ask(wire, raw.replace(b"%t", TARGETS[room]) + SECOND, how)
        second = await wire.answer()
        assert (first.code, second.code, second.body) == (200 if room == "through" else 202, 200, b"ok"), name
        assert recorder.targets == (["/x", "/second"] if room == "through" else ["/second"]), name
        if room == "through":
            assert recorder.whole[0][1] == body, name
            names = [key for key, _ in recorder.whole[0][2]]
            assert names.count(b"host") == 1, name
            assert not any(key.startswith((b"restante", b"x-trailer")) for key in names), name
        else:
            assert house.store.queued == count, name
            id = first.json.get("request_id") or first.json["transaction_id"]
            (kept,) = await house.store.requests([(await house.find(id)).key])
            assert kept is not None
            assert kept.body.inline == body, name
            assert [value for key, value in kept.headers if key == b"host"] == [b"h"], name
        recorder.whole.clear()
        await wire.close()


async def test_an_answered_request_whose_body_turns_out_broken_gets_no_second_answer(house: House) -> None:
    house.service.accepting = False
    wire = await house.wire()
    wire.request("POST", "/async/x", {"Transfer-Encoding": "chunked"}, b"2\r\n")
    assert (await wire.answer()).code == 503
    wire.write(b"{}zz\r\n" + HIDDEN)
    assert await wire.closed()


async def test_a_websocket_with_a_body_is_refused_like_one_without(recorded: tuple[House, Recorder]) -> None:
    house, recorder = recorded
    for target in TARGETS.values():
        wire = await house.wire()
        wire.write(
            b"GET %b HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
            b"Content-Length: 37\r\n\r\n" % target + HIDDEN + SECOND
        )
        seen = await wire.answer()
        assert (seen.code, seen.header("connection")) == (501, "close")
        assert await wire.closed()
    assert recorder.whole == []
    assert house.store.queued == 0


async def test_what_is_behind_an_offer_of_a_websocket_is_not_waited_for(house: House) -> None:
    for target in ("/async/status/x", "/-/healthz", "/-/transactions"):
        wire = await house.wire()
        wire.write(
            b"GET %b HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
            % target.encode()
            + b"GET /-/healthz HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        assert (await wire.answer()).code in (200, 404)
        assert await wire.closed()


async def test_a_whole_submit_is_stored_and_answered_when_its_sender_has_nothing_more_to_send(
    house: House,
) -> None:
    await house.submit()  # a server's first is served by a task
    wire = await house.wire()
    wire.request("POST", "/async/x", {}, b"{}")
    wire.writer.write_eof()
    seen = await wire.answer()
    assert (seen.code, seen.header("connection")) == (202, "close")
    assert await wire.closed()
    assert await house.find(seen.json["request_id"])
    wire = await house.wire()
    wire.write(b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{}")
    wire.writer.write_eof()
    assert await wire.closed()
    assert house.store.queued == 2
