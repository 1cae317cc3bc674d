"""Accepts without a task: the same answers as with one, and nothing lost at the edges."""

import asyncio
from typing import Any

import pytest

from restante.core.policy import Limits, Route
from restante.core.status import Dialect
from restante.service import Service

from ..world import eventually
from .conftest import MakeHouse
from .house import House
from .wire import Seen

LONG_WAY = {"Transfer-Encoding": "chunked"}
"""Makes a request go the way of all requests; the answer is the same."""

TICKETS = Route(
    method="POST",
    path="/channel/v0/tickets",
    dialect=Dialect.TRANSACTION,
    transactions="/seller/v0/transactions",
)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each submission; holds how many tasks served requests at that moment."""
    tasks: list[int] = []
    start = Service.start

    def counted(self: Service, *what: Any) -> None:
        tasks.append(sum("run_asgi" in repr(task.get_coro()) for task in asyncio.all_tasks()))
        start(self, *what)

    monkeypatch.setattr(Service, "start", counted)
    return tasks


async def test_a_small_request_is_stored_without_a_task(house: House, started: list[int]) -> None:
    await house.submit()  # the first of a process asks the store for keys
    await house.submit()
    assert started == [1, 0]


async def test_a_transaction_too(make_house: MakeHouse, started: list[int]) -> None:
    house = await make_house(routes=[TICKETS])
    await house.submit("/channel/v0/tickets")
    await house.submit("/channel/v0/tickets")
    assert started == [1, 0]


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/async/payments?a=1&b=%20", {}),
        ("/channel/v0/tickets", {}),
        ("/async/payments", {"Restante-Delay": "10m", "X-Other": "1"}),
        ("/async/payments", {"Restante-Delay": "ten"}),
        ("/async/payments", {"Restante-Delay": "25h"}),
        ("/async/payments", {"Restante-Priority": "1000"}),
        ("/async/payments", {"Idempotency-Key": '"half'}),
        ("/async/payments", {"Host": "no host"}),
        ("/async/-/healthz", {}),
    ],
)
async def test_both_ways_answer_the_same(make_house: MakeHouse, target: str, headers: dict[str, str]) -> None:
    house = await make_house(routes=[TICKETS])
    await house.submit()
    wire = await house.wire()
    short = await wire.ask("POST", target, headers, b"{}")
    wire = await house.wire()
    long = await wire.ask("POST", target, {**headers, **LONG_WAY}, b"2\r\n{}\r\n0\r\n\r\n")
    assert _likeness(short) == _likeness(long)


def _likeness(seen: Seen) -> tuple[int, list[str], list[str]]:
    names = [name for name, _ in seen.headers if name != "connection"]  # what is unread is not read on
    return seen.code, names, list(seen.json)


async def test_equal_keys_are_one_transaction_whichever_way_they_come(house: House) -> None:
    first = await house.submit(Idempotency_Key="k")
    wire = await house.wire()
    again = await wire.ask("POST", "/async/payments", {"Idempotency-Key": "k"}, b"{}")
    assert (again.json["request_id"], again.header("idempotent-replayed")) == (first, "true")
    other = await wire.ask("POST", "/async/payments", {"Idempotency-Key": "k"}, b"{1}")
    assert other.code == 422


async def test_a_full_queue_is_refused_on_the_short_way_too(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(max_queued=1))
    await house.submit()
    wire = await house.wire()
    seen = await wire.ask("POST", "/async/x", body=b"{}")
    assert (seen.code, seen.header("retry-after"), seen.header("restante-status")) == (503, "30", "unknown")
    assert (await wire.ask("GET", "/-/healthz")).code == 200  # the connection goes on


async def test_a_body_in_pieces_is_stored_whole(house: House) -> None:
    await house.submit()
    wire = await house.wire()
    wire.write(b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n")
    for piece in (b"ab", b"cd", b"ef"):
        await asyncio.sleep(0)
        wire.write(piece)
    seen = await wire.answer()
    found = await house.find(seen.json["request_id"])
    (request,) = await house.store.requests([found.key])
    assert request is not None
    assert request.body.inline == b"abcdef"


async def test_what_comes_together_is_stored_together_and_refused_one_by_one(
    house: House, started: list[int]
) -> None:
    await house.submit()
    wires = [await house.wire() for _ in range(9)]
    for wire in wires:
        await wire.ask("GET", "/-/healthz")  # all of them are being read
    started.clear()
    for place, wire in enumerate(wires):
        delay = b"48h" if place == 4 else b"0s"
        wire.write(b"POST /async/%d HTTP/1.1\r\nHost: h\r\nRestante-Delay: %b\r\n" % (place, delay))
        wire.write(b"Content-Length: 2\r\n\r\n{}")
    seen = [await wire.answer() for wire in wires]
    assert [one.code for one in seen] == [202] * 4 + [400] + [202] * 4
    paths = [(await house.find(one.json["request_id"])).path for one in seen if one.code == 202]
    assert paths == [f"/{place}" for place in range(9) if place != 4]
    assert len(started) < len(wires)


async def test_pipelined_requests_are_answered_in_order(house: House) -> None:
    await house.submit()
    wire = await house.wire()
    accept = b"POST /async/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
    look = b"GET /-/healthz HTTP/1.1\r\nHost: h\r\n\r\n"
    wire.write(accept % 1 + look + accept % 2 + accept % 3 + look)
    seen = [await wire.answer() for _ in range(5)]
    assert [one.code for one in seen] == [202, 200, 202, 202, 200]
    paths = [(await house.find(seen[place].json["request_id"])).path for place in (0, 2, 3)]
    assert paths == ["/1", "/2", "/3"]


async def test_a_client_that_leaves_before_its_body_is_whole_leaves_nothing(house: House) -> None:
    await house.submit()
    wire = await house.wire()
    wire.write(b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc")
    await (await house.wire()).ask("GET", "/-/healthz")
    wire.leave()
    await house.submit()
    assert house.store.queued == 2


async def test_a_client_that_leaves_before_the_answer_has_its_transaction_all_the_same(
    house: House,
) -> None:
    await house.submit()
    wire = await house.wire()
    wire.write(b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
    await asyncio.sleep(0)
    wire.leave()
    await house.submit()
    async with asyncio.timeout(10):
        while house.store.queued < 3:
            await asyncio.sleep(0)


async def test_what_is_being_stored_at_the_end_is_answered_and_closed(house: House) -> None:
    await house.submit()
    wire = await house.wire()
    wire.write(b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{")
    await (await house.wire()).ask("GET", "/-/healthz")
    house.servers[0].stop()
    await eventually(lambda: all(one.last for one in house.servers[0].server_state.connections))
    wire.write(b"}")
    seen = await wire.answer()
    assert (seen.code, seen.header("connection")) == (202, "close")
    assert await wire.closed()


async def test_only_a_connection_that_was_not_used_for_long_is_closed(house: House) -> None:
    await house.submit()
    wire = await house.wire()
    await wire.ask("POST", "/async/x", body=b"{}")
    (protocol,) = [
        one
        for one in house.servers[0].server_state.connections
        if one.transport.get_extra_info("peername") == wire.here
    ]
    protocol.timeout_keep_alive_handler()
    assert (await wire.ask("POST", "/async/x", body=b"{}")).code == 202
    protocol.idle_since -= protocol.timeout_keep_alive
    wire.write(b"POST /async/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{")
    await (await house.wire()).ask("GET", "/-/healthz")
    protocol.timeout_keep_alive_handler()  # a request is under way
    wire.write(b"}")
    assert (await wire.answer()).code == 202
    protocol.idle_since -= protocol.timeout_keep_alive
    protocol.timeout_keep_alive_handler()
    assert await wire.closed()
