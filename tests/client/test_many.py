"""Events as they happen, and many transactions at once."""

import asyncio
from typing import Any

import pytest

from restante.client import AsyncClient, Client, StillRunning, Unknown
from restante.core import change
from restante.core.model import Body, Result
from restante.core.policy import Limits

from ..cli.cable import cut
from ..cli.upstream import Answer, serving
from ..gateway.conftest import MakeHouse
from ..gateway.house import House
from ..world import eventually
from .callers import NO_SUCH
from .conftest import MakeCaller

# -- events


@pytest.mark.sound_store("counts what is asked over a cable")
async def test_events_are_told_once_and_in_order_over_broken_connections(
    house: House, call: MakeCaller
) -> None:
    handle = await call(house.port).submit("POST", "/payments")
    await house.tell(handle.id, 5)
    with cut(f"http://127.0.0.1:{house.port}", 700) as cable:
        told = []
        async for event in call(cable.url).handle(handle.id).events():
            told.append(event["sequence"])
            if len(told) == 5:
                await house.service.change(
                    await house.find(handle.id), lambda t: _completed(t, house.clock.now())
                )
    assert told == [1, 2, 3, 4, 5, 6]
    assert "last-event-id: 0" in cable.asked[0]
    assert "last-event-id: " in cable.asked[1]
    assert "last-event-id: 0" not in cable.asked[1]


def _completed(transaction: Any, now: int) -> Any:
    result = Result(200, (), Body(0, b""), 1)
    return change.complete(transaction, attempt=1, now=now, result=result, data={})


async def test_where_too_many_streams_are_open_events_are_asked_for(
    make_house: MakeHouse, call: MakeCaller
) -> None:
    house = await make_house(limits=Limits(streams=0))
    handle = await call(house.port).submit("POST", "/payments")
    await house.end(handle.id)
    assert [event["status"] async for event in handle.events()] == ["pending", "processing", "completed"]
    assert [event["sequence"] async for event in handle.events(after=2)] == [3]


async def test_the_events_of_one_that_is_not_known_are_refused(house: House, call: MakeCaller) -> None:
    with pytest.raises(Unknown):
        _ = [event async for event in call(house.port).handle(NO_SUCH).events()]


# -- many


async def test_many_come_in_the_order_in_which_they_end(house: House, call: MakeCaller) -> None:
    caller = call(house.port)
    handles = [await caller.submit("POST", "/payments") for _ in range(4)]
    order = [2, 0, 3, 1]
    came = []
    await house.end(handles[order[0]].id)
    async for one in caller.as_ended(handles):
        came.append(one.id)
        if len(came) < len(order):
            await house.end(handles[order[len(came)]].id)
    assert came == [handles[place].id for place in order]


async def test_of_many_those_that_are_left_are_told_of_at_the_end(house: House, call: MakeCaller) -> None:
    caller = call(house.port)
    handles = [await caller.submit("POST", "/payments") for _ in range(3)]
    await house.end(handles[1].id)
    came = []
    with pytest.raises(StillRunning):
        async for one in caller.as_ended([*handles, caller.handle(NO_SUCH)], timeout=0):
            came.append(one.id)
    assert set(came) <= {handles[1].id, NO_SUCH}


async def test_who_is_not_held_back_asks_less_and_less_often(call: MakeCaller) -> None:
    running: Answer = (200, [("Restante-Status", "pending")], b'{"status":"pending","outcome":null}')
    with serving(lambda seen: running) as web:
        caller = call(web.url)
        with pytest.raises(StillRunning):
            await caller.handle("abc").result(timeout=30)
    assert caller.time.pauses == [0.2, 0.5, 1, 2, 4, 8, 8, pytest.approx(6.3)]


async def test_one_client_serves_many_threads(house: House) -> None:
    client = Client(f"http://127.0.0.1:{house.port}")

    def submit(number: int) -> str:
        handle = client.submit("POST", "/payments", json=number, tracking_id=f"n{number}")
        assert handle.show()["tracking_id"] == f"n{number}"
        return handle.id

    ids = await asyncio.gather(*(asyncio.to_thread(submit, number) for number in range(40)))
    assert len(set(ids)) == 40
    client.close()


async def test_a_forked_process_leaves_its_parents_connections_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(f"http://127.0.0.1:{house.port}")
    handle = await asyncio.to_thread(client.submit, "POST", "/payments")
    (line,) = client._idle
    assert line.alive()
    monkeypatch.setattr("restante.client.client.os.getpid", lambda: 0)
    assert not line.alive()
    await asyncio.to_thread(handle.status)
    assert line not in client._idle
    client.close()


async def test_a_task_that_is_cancelled_leaves_no_half_answer_behind(house: House) -> None:
    async with AsyncClient(f"http://127.0.0.1:{house.port}") as client:
        handle = await client.submit("POST", "/payments")
        waiting = asyncio.create_task(handle.result())
        await eventually(lambda: house.clock.waited_for() > 0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await house.end(handle.id)
        assert await handle.status() == "completed"
        assert (await handle.result()).json() == {"ok": True}
