"""A transaction's events as a live stream that goes on where it broke off."""

import asyncio
import json
from typing import Any

import pytest

from restante.core import change
from restante.core.clock import SECOND
from restante.core.errors import StoreUnavailable
from restante.core.policy import Limits
from restante.core.status import Outcome
from restante.service.outage import Outage

from ..world import eventually
from .conftest import MakeHouse
from .house import House
from .test_native import is_problem
from .wire import Seen, Wire

LIVE = {"Accept": "text/event-stream"}


class Reader:
    """One stream, block by block."""

    def __init__(self, wire: Wire, head: Seen) -> None:
        self.wire, self.head = wire, head
        self._text = b""

    @classmethod
    async def of(cls, house: House, id: str, query: str = "", **headers: str) -> "Reader":
        wire = await house.wire()
        fields = {**LIVE, **{name.replace("_", "-"): value for name, value in headers.items()}}
        wire.request("GET", f"/-/transactions/{id}/events{query}", fields)
        return cls(wire, await wire.answer("HEAD"))

    async def block(self) -> bytes | None:
        """The next one; None: the stream is over."""
        while b"\n\n" not in self._text:
            async with asyncio.timeout(10):
                size = int(await self.wire.reader.readuntil(b"\r\n"), 16)
                piece = await self.wire.reader.readexactly(size + 2)
            if not size:
                assert self._text == b""
                return None
            self._text += piece[:-2]
        block, _, self._text = self._text.partition(b"\n\n")
        return block

    async def event(self) -> tuple[str, str, Any] | None:
        block = await self.block()
        if block is None:
            return None
        lines = block.decode().split("\n")
        assert [line.partition(": ")[0] for line in lines] == ["id", "event", "data"]
        number, kind, data = (line.partition(": ")[2] for line in lines)
        return number, kind, json.loads(data)

    async def rest(self) -> list[str]:
        """The numbers of all events that still come."""
        numbers = []
        while (event := await self.event()) is not None:
            numbers.append(event[0])
        return numbers


async def test_events_come_as_they_happen_until_the_last(house: House) -> None:
    id = await house.submit()
    reader = await Reader.of(house, id)
    assert reader.head.code == 200
    assert reader.head.header("content-type") == "text/event-stream"
    assert reader.head.header("cache-control") == "no-store"
    assert reader.head.header("x-accel-buffering") == "no"
    first = await reader.event()
    assert first is not None
    assert first[:2] == ("1", "transition")
    await eventually(house.clock.waited_for)
    await house.end(id, 500, b"x")
    rest = [await reader.event(), await reader.event(), await reader.event()]
    assert rest[2] is None
    logged = (await house.ask("GET", f"/-/transactions/{id}/events")).json["events"]
    assert [event[2] for event in [first, *rest] if event] == logged
    assert [event[1] for event in rest if event] == ["transition", "failure"]
    assert len(house.service.waiting) == 0
    assert (await reader.wire.ask("GET", "/-/healthz")).code == 200  # the connection goes on


async def test_a_stream_that_broke_off_goes_on_where_it_was(house: House) -> None:
    id = await house.submit()
    reader = await Reader.of(house, id)
    event = await reader.event()
    assert event is not None
    reader.wire.leave()
    await eventually(lambda: len(house.service.waiting) == 0)
    await house.begin(id)
    again = await Reader.of(house, id, Last_Event_ID=event[0])
    second = await again.event()
    assert second is not None
    assert second[0] == "2"
    await eventually(house.clock.waited_for)
    await house.ask("POST", f"/-/transactions/{id}/cancel")  # too late, and no event
    other = await Reader.of(house, id, "?after=0", Last_Event_ID="1")
    third = await other.event()
    assert third is not None
    assert third[0] == "2"


async def test_after_in_the_url_counts_as_well(house: House) -> None:
    id = await house.submit()
    await house.end(id)
    reader = await Reader.of(house, id, "?after=1")
    assert await reader.rest() == ["2", "3"]


async def test_where_nothing_more_will_come_the_reader_is_told_to_stop(house: House) -> None:
    id = await house.submit()
    await house.end(id)
    seen = await house.ask("GET", f"/-/transactions/{id}/events", {**LIVE, "Last-Event-ID": "3"})
    assert (seen.code, seen.body) == (204, b"")


async def test_a_silent_stream_shows_that_it_lives(house: House) -> None:
    id = await house.submit()
    reader = await Reader.of(house, id)
    await reader.event()
    for _ in range(3):
        await eventually(house.clock.waited_for)
        await house.clock.advance(15 * SECOND)
        assert await reader.block() == b":"
    await eventually(house.clock.waited_for)
    await house.end(id)
    assert await reader.rest() == ["2", "3"]


async def test_who_leaves_is_forgotten_at_once(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(streams=2))
    id = await house.submit()
    readers = [await Reader.of(house, id) for _ in range(2)]
    is_problem(await house.ask("GET", f"/-/transactions/{id}/events", LIVE), 503)
    await eventually(lambda: house.clock.waited_for() == 2)
    readers[0].wire.leave()
    await eventually(lambda: len(house.service.waiting) == 1)
    await eventually(lambda: house.clock.waited_for() == 1)
    assert (await Reader.of(house, id)).head.code == 200


async def test_so_many_streams_are_open_over_both_addresses_of_a_process(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(streams=2))
    desk, target = house.make_desk(), f"/-/transactions/{await house.submit()}/events"
    one, other = [await house.wire(await house.serve(desk, public=public)) for public in (True, False)]
    for wire in (one, other):
        wire.request("GET", target, LIVE)
        assert (await wire.answer("HEAD")).code == 200
    for wire in (one, other):
        third = await house.wire(int(wire.authority.rpartition(":")[2]))
        is_problem(await third.ask("GET", target, LIVE), 503)


async def test_a_stream_has_no_last_event_but_the_end(house: House) -> None:
    id = await house.submit()
    told = await house.tell(id, 2500)
    reader = await Reader.of(house, id)
    numbers = []
    while len(numbers) < 2500:
        event = await reader.event()
        assert event is not None
        numbers.append(event[0])
    await eventually(house.clock.waited_for)
    again = await Reader.of(house, id, Last_Event_ID="2499")
    assert (await again.event() or ())[0] == "2500"
    now = house.clock.now()
    await house.service.change(
        told, lambda t: change.fail(t, attempt=1, now=now, outcome=Outcome.UNREACHABLE, data={})
    )
    assert await reader.rest() == await again.rest() == ["2501"]
    assert numbers == [str(number) for number in range(1, 2501)]
    late = await Reader.of(house, id, Last_Event_ID="1700")
    assert await late.rest() == [str(number) for number in range(1701, 2502)]


async def test_when_the_process_drains_streams_end_cleanly(house: House) -> None:
    id = await house.submit()
    reader = await Reader.of(house, id)
    await reader.event()
    await eventually(house.clock.waited_for)
    house.service.drain()
    assert await reader.block() is None


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/event-stream;q=0", "text/*"])
async def test_json_is_for_everybody_else(house: House, accept: str) -> None:
    id = await house.submit()
    seen = await house.ask("GET", f"/-/transactions/{id}/events", {"Accept": accept})
    assert seen.header("content-type") == "application/json"


async def test_head_tells_what_get_would_be(house: House) -> None:
    id = await house.submit()
    seen = await house.ask("HEAD", f"/-/transactions/{id}/events", LIVE)
    assert (seen.code, seen.header("content-type")) == (200, "text/event-stream")
    assert len(house.service.waiting) == 0


async def test_what_is_wrong_is_a_problem(house: House) -> None:
    id = await house.submit()
    is_problem(await house.ask("GET", "/-/transactions/x/events", LIVE), 404)
    for query, headers, field in (
        ("?after=x", LIVE, "after"),
        ("", {**LIVE, "Last-Event-ID": "x"}, "Last-Event-ID"),
    ):
        seen = await house.ask("GET", f"/-/transactions/{id}/events{query}", headers)
        is_problem(seen, 400)
        assert seen.json["field"] == field


@pytest.mark.sound_store("its own store fails")
async def test_a_stream_outlasts_a_store_that_refuses_for_a_moment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Outage, "pauses", (0,))
    id = await house.submit()
    reader = await Reader.of(house, id)
    assert await reader.event() is not None
    refusals, events = [StoreUnavailable("the disk is full")] * 3, house.store.events

    async def refusing(*what: Any, **how: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return await events(*what, **how)

    monkeypatch.setattr(house.store, "events", refusing)
    await house.end(id)
    assert await reader.rest() == ["2", "3"]
    assert not refusals


async def test_every_event_comes_once_however_fast_they_happen(house: House) -> None:
    ids = [await house.submit() for _ in range(20)]
    readers = await asyncio.gather(*(Reader.of(house, id) for id in ids))
    await asyncio.gather(*(house.end(id) for id in ids))
    assert await asyncio.gather(*(reader.rest() for reader in readers)) == [["1", "2", "3"]] * 20
