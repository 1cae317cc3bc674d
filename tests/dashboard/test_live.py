"""Open pages are told when there is something new, and hold nothing once they are closed."""

import asyncio

import pytest

from restante.core.clock import SECOND
from restante.dashboard import live
from restante.gateway import KeyAuth

from ..gateway.conftest import MakeHouse
from ..gateway.house import House
from ..gateway.test_stream import Reader
from ..world import eventually
from .visitor import Visitor


async def stream(house: House, target: str) -> Reader:
    wire = await house.wire()
    wire.request("GET", target, {"Accept": "text/event-stream"})
    return Reader(wire, await wire.answer("HEAD"))


async def test_a_transactions_page_is_told_of_each_change_and_of_the_end(house: House) -> None:
    id = await house.submit()
    reader = await stream(house, f"/-/ui/transactions/{id}/live")
    assert reader.head.code == 200
    assert reader.head.header("content-type") == "text/event-stream"
    assert await reader.block() == b":"
    await eventually(house.clock.waited_for)
    await house.begin(id)
    assert await reader.block() == b"event: changed\ndata:"
    house.clock._now = (await house.find(id)).deadline
    await house.service.expire(await house.find(id))
    assert await reader.block() == b"event: changed\ndata:"
    assert await reader.block() == b"event: ended\ndata:"
    assert await reader.block() is None


async def test_a_page_of_what_waits_is_loaded_anew_while_its_queue_moves(house: House) -> None:
    id = await house.submit()
    reader = await stream(house, f"/-/ui/transactions/{id}/live")
    assert await reader.block() == b":"
    for _ in range(2):
        await eventually(house.clock.waited_for)
        await house.clock.advance(live.EVERY)
        assert await reader.block() == b"event: changed\ndata:"
    await eventually(house.clock.waited_for)
    await house.begin(id)
    assert await reader.block() == b"event: changed\ndata:"
    await eventually(house.clock.waited_for)
    await house.clock.advance(live.BEAT)
    assert await reader.block() == b":"


async def test_an_overview_is_told_of_its_tenants_news_and_at_the_latest_now_and_then(house: House) -> None:
    id = await house.submit()
    reader = await stream(house, "/-/ui/live")
    assert await reader.block() == b":"
    await eventually(house.clock.waited_for)
    await house.begin(id)
    await eventually(lambda: house.clock.waited_for() > 0)
    await house.clock.advance(live.LEAST)  # what comes at once is told together
    assert await reader.block() == b"event: changed\ndata:"
    await eventually(house.clock.waited_for)
    await house.clock.advance(live.EVERY)
    assert await reader.block() == b"event: changed\ndata:"


async def test_who_leaves_is_forgotten(house: House) -> None:
    id = await house.submit()
    for target in ("/-/ui/live", f"/-/ui/transactions/{id}/live"):
        reader = await stream(house, target)
        assert await reader.block() == b":"
        await eventually(house.clock.waited_for)
        reader.wire.leave()
        await eventually(lambda: not house.clock.waited_for())
    assert not len(house.service.waiting)


async def test_so_many_pages_are_told_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 1)
    reader = await stream(house, "/-/ui/live")
    assert await reader.block() == b":"
    assert (await house.ask("GET", "/-/ui/live")).code == 503
    reader.wire.leave()
    async with asyncio.timeout(10):
        while (await stream(house, "/-/ui/live")).head.code != 200:
            pass


async def test_a_stream_that_drains_ends(house: House) -> None:
    reader = await stream(house, "/-/ui/live")
    assert await reader.block() == b":"
    await eventually(house.clock.waited_for)
    house.service.drain()
    await house.clock.advance(SECOND)
    while await reader.block() is not None:
        pass


async def test_nobody_is_told_without_a_session(make_house: MakeHouse) -> None:
    house = await make_house(auth=KeyAuth)
    assert (await house.ask("GET", "/-/ui/live")).code == 303
    visitor = await Visitor(house).log_in()
    wire = await house.wire()
    wire.request("GET", "/-/ui/live", {"Cookie": visitor.cookie or ""})
    assert (await wire.answer("HEAD")).code == 200
