"""`Prefer: wait=N` on every poll (RFC 7240): held until it is terminal or has a newer event."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from restante.core.clock import SECOND
from restante.core.policy import Route
from restante.core.status import Dialect, Outcome, Reading

from ..world import eventually
from .conftest import MakeHouse
from .house import House
from .wire import Seen

TICKETS = Route(
    method="POST",
    path="/channel/v0/tickets",
    dialect=Dialect.TRANSACTION,
    transactions="/seller/v0/transactions",
)

POLLS = [
    "/async/status/{id}",
    "/async/result/{id}",
    "/seller/v0/transactions/{id}",
    "/-/transactions/{id}",
    "/-/transactions/{id}/result",
    "/-/transactions/{id}/events",
]
EVERY_POLL = pytest.mark.parametrize("path", POLLS)
WAIT = {"Prefer": "wait=10"}


@pytest.fixture
async def house(make_house: MakeHouse) -> AsyncIterator[House]:
    house = await make_house(routes=[TICKETS])
    yield house
    await eventually(lambda: len(house.service.waiting) == 0)


def polling(house: House, path: str, method: str = "GET", **headers: str) -> "asyncio.Task[Seen]":
    fields = {**WAIT, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return asyncio.create_task(house.ask(method, path, fields))


async def held(house: House, count: int = 1) -> None:
    await eventually(lambda: house.clock.waited_for() >= count)


@EVERY_POLL
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_poll_is_held_until_the_end(house: House, path: str, method: str) -> None:
    id = await house.submit("/channel/v0/tickets")
    path = path.format(id=id)
    asking = polling(house, path, method)
    await held(house)
    assert not asking.done()
    await house.end(id)
    seen = await asking
    assert seen.header("preference-applied") == "wait=10"
    assert seen.header("vary") == "Prefer"
    plain = await house.ask(method, path)
    applied = [pair for pair in seen.headers if pair[0] not in ("preference-applied", "vary")]
    assert (seen.code, seen.body, applied) == (plain.code, plain.body, plain.headers)
    assert seen.code == 200
    assert plain.header("preference-applied") is None


@pytest.mark.sound_store("who was refused waits anew, and its clock stands still")
@EVERY_POLL
async def test_when_the_time_is_up_the_answer_is_what_it_would_have_been(house: House, path: str) -> None:
    id = await house.submit("/channel/v0/tickets")
    path = path.format(id=id)
    asking = polling(house, path)
    await held(house)
    await house.clock.advance(10 * SECOND)
    seen, plain = await asking, await house.ask("GET", path)
    assert (seen.code, seen.body) == (plain.code, plain.body)
    assert seen.header("preference-applied") == "wait=10"


@EVERY_POLL
async def test_with_after_it_is_held_until_a_newer_event(house: House, path: str) -> None:
    id = await house.submit("/channel/v0/tickets")
    path = path.format(id=id) + "?after=1"
    asking = polling(house, path)
    await held(house)
    await house.begin(id)
    seen = await asking
    assert seen.code in (200, 425)
    assert seen.header("restante-status") == "processing"


@EVERY_POLL
@pytest.mark.parametrize("after", ["x", "-1", "1.5", "1" * 20])
async def test_a_bad_after_is_refused_by_name(house: House, path: str, after: str) -> None:
    id = await house.submit("/channel/v0/tickets")
    seen = await house.ask("GET", f"{path.format(id=id)}?after={after}")
    assert seen.code == 400
    assert seen.json["field"] == "after"


@pytest.mark.sound_store("who was refused waits anew, and its clock stands still")
async def test_no_answer_is_held_for_longer_than_twenty_seconds(house: House) -> None:
    id = await house.submit()
    asking = polling(house, f"/async/status/{id}", Prefer="wait=3600")
    await held(house)
    await house.clock.advance(20 * SECOND)
    assert (await asking).header("preference-applied") == "wait=20"


@EVERY_POLL
async def test_what_is_unknown_is_not_waited_for(house: House, path: str) -> None:
    seen = await house.ask("GET", path.format(id="nobody"), WAIT)
    assert seen.code == 404
    assert seen.header("preference-applied") is None


async def test_other_methods_do_not_wait(house: House) -> None:
    id = await house.submit()
    seen = await house.ask("DELETE", f"/async/status/{id}", WAIT)
    assert seen.json["status"] == "cancelled"
    assert (await house.ask("POST", f"/-/transactions/{id}/cancel", WAIT)).code == 200


async def test_the_events_behind_after_alone_are_given(house: House) -> None:
    id = await house.submit()
    await house.end(id)
    seen = await house.ask("GET", f"/-/transactions/{id}/events?after=1")
    assert [event["sequence"] for event in seen.json["events"]] == [2, 3]
    assert (await house.ask("GET", f"/-/transactions/{id}/events?after=3")).json["events"] == []


async def test_of_many_that_wait_for_an_error_one_gets_it(house: House) -> None:
    id = await house.submit()
    asking = [polling(house, f"/async/result/{id}") for _ in range(20)]
    await held(house, 20)
    assert (await house.find(id)).reading is Reading.UNREAD  # nothing is reserved for who waits
    await house.end(id, 500, b"the error")
    seen = await asyncio.gather(*asking)
    assert sorted(answer.code for answer in seen) == [404] * 19 + [500]


@pytest.mark.sound_store("leaves without an answer, so that it cannot ask again")
async def test_who_leaves_while_waiting_consumes_nothing_and_is_forgotten(house: House) -> None:
    id = await house.submit()
    wires = [await house.wire() for _ in range(20)]
    for wire in wires:
        wire.request("GET", f"/async/result/{id}", WAIT)
    await held(house, 20)
    for wire in wires:
        wire.leave()
    await eventually(lambda: len(house.service.waiting) == 0)
    assert house.clock.waited_for() == 0
    await house.end(id, 500, b"the error")
    assert (await house.ask("GET", f"/async/result/{id}")).body == b"the error"


async def test_a_broken_end_is_held_for_as_well(house: House) -> None:
    id = await house.submit()
    asking = polling(house, f"/async/result/{id}")
    await held(house)
    await house.breaks(id, Outcome.TIMED_OUT)
    assert (await asking).code == 504


@pytest.mark.sound_store("two requests on one connection: neither can be asked again alone")
async def test_a_connection_goes_on_behind_a_held_answer(house: House) -> None:
    id = await house.submit()
    wire = await house.wire()
    wire.request("GET", f"/async/status/{id}", WAIT)
    wire.request("GET", "/-/healthz")
    await held(house)
    await house.end(id)
    assert (await wire.answer()).json["status"] == "completed"
    assert (await wire.answer()).json["status"] == "ok"


async def test_a_poll_with_a_body_is_answered_at_once(house: House) -> None:
    id = await house.submit()
    wire = await house.wire()
    wire.request("GET", f"/async/status/{id}", {**WAIT, "Content-Length": "1"})
    seen = await wire.answer()
    assert (seen.json["status"], seen.header("preference-applied")) == ("processing", None)


async def test_when_the_process_drains_all_are_answered_at_once(house: House) -> None:
    id = await house.submit()
    asking = [polling(house, f"/async/result/{id}") for _ in range(10)]
    await held(house, 10)
    house.service.drain()
    assert [answer.code for answer in await asyncio.gather(*asking)] == [425] * 10


@pytest.mark.sound_store("counts tasks, before any answer was read")
async def test_who_waits_costs_no_task_beside_the_requests_own(house: House) -> None:
    id = await house.submit()
    wires = [await house.wire() for _ in range(50)]
    before = len(asyncio.all_tasks())
    for wire in wires:
        wire.request("GET", f"/async/status/{id}", WAIT)
    await held(house, 50)
    assert len(asyncio.all_tasks()) == before + 50
    await house.end(id)
    assert [(await wire.answer()).code for wire in wires] == [200] * 50


async def test_another_audiences_transaction_is_not_waited_for(make_house: MakeHouse) -> None:
    def route(name: str) -> Route:
        return Route(path=f"/{name}", dialect=Dialect.TRANSACTION, transactions=f"/{name}/v0/transactions")

    house = await make_house(routes=[route("seller"), route("channel")])
    id = await house.submit("/channel")
    seen = await house.ask("GET", f"/seller/v0/transactions/{id}", {"Prefer": "wait=20"})  # at once
    unknown = await house.ask("GET", f"/seller/v0/transactions/{id[::-1]}", {"Prefer": "wait=20"})
    assert seen.code == unknown.code == 404
    assert [name for name, _ in seen.headers] == [name for name, _ in unknown.headers]
