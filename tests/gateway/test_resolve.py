"""`POST /-/transactions/{id}/resolve`: an unknown outcome, settled by hand."""

import json
from typing import Any

import msgspec
import pytest

from restante.core import change
from restante.core.clock import SECOND
from restante.core.model import Transaction
from restante.core.policy import Route
from restante.core.status import Dialect, Outcome, Reading

from .conftest import MakeHouse
from .house import House
from .test_native import is_problem
from .test_retry import fails_in_doubt
from .wire import Seen

DONE = {"status": "completed", "reason": "The bank has it.", "by": "ana"}


async def resolve(house: House, id: str, said: Any) -> Seen:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return await (await house.wire()).ask("POST", f"/-/transactions/{id}/resolve", {}, body)


async def deferred(house: House, id: str) -> Transaction:
    now = house.clock.now()
    return await house.service.change(await house.begin(id), lambda t: change.defer(t, attempt=1, now=now))


async def test_an_interrupted_one_that_has_ended_gets_a_note_and_stays_as_it_ended(house: House) -> None:
    id = await house.submit()
    ended = await fails_in_doubt(house, id)
    await house.clock.advance(SECOND)
    seen = await resolve(house, id, DONE)
    assert seen.code == 200
    last = seen.json["events"][-1]
    assert (last["event"], last["status"]) == ("info", "failed")
    assert last["data"] == {"resolved": "completed", "reason": "The bank has it.", "by": "ana"}
    assert await house.find(id) == msgspec.structs.replace(ended, sequence=ended.sequence + 1)


async def test_a_note_frees_no_place_in_the_queue(house: House) -> None:
    id = await house.submit()
    await fails_in_doubt(house, id)
    await house.submit()
    await resolve(house, id, DONE)
    assert house.store.queued == 1


async def test_a_note_leaves_the_one_reading_of_the_error(house: House) -> None:
    id = await house.submit()
    await fails_in_doubt(house, id)
    assert (await house.ask("GET", f"/async/result/{id}")).code == 502
    await house.reading_becomes(id, Reading.READ)
    await resolve(house, id, DONE)
    assert (await house.ask("GET", f"/async/result/{id}")).code == 404


async def test_callers_of_dialect_transaction_see_nothing_after_the_end(make_house: MakeHouse) -> None:
    route = Route(dialect=Dialect.TRANSACTION, transactions="/transactions", method="POST", path="/tickets")
    house = await make_house(routes=[route])
    id = await house.submit("/tickets")
    await fails_in_doubt(house, id)
    before = await house.ask("GET", f"/transactions/{id}")
    assert (await resolve(house, id, DONE)).code == 200
    assert (await house.ask("GET", f"/transactions/{id}")).json == before.json


async def test_it_is_done_once(house: House) -> None:
    id = await house.submit()
    await fails_in_doubt(house, id)
    assert (await resolve(house, id, DONE)).code == 200
    assert is_problem(await resolve(house, id, DONE), 409)


async def test_what_has_ended_gets_no_other_result(house: House) -> None:
    id = await house.submit()
    await fails_in_doubt(house, id)
    assert is_problem(await resolve(house, id, {**DONE, "result": {"body": {}}}), 409)


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_deferred_work_ends_by_it(house: House, status: str) -> None:
    id = await house.submit()
    await deferred(house, id)
    seen = await resolve(house, id, {**DONE, "status": status})
    assert (seen.code, seen.json["status"], seen.json["outcome"]) == (200, status, "answered")
    told, end = seen.json["events"][-2:]
    assert told["data"]["by"] == "ana"
    assert (told["status"], end["status"]) == ("processing", status)
    assert is_problem(await resolve(house, id, DONE), 409)
    result = await house.ask("GET", f"/async/result/{id}")
    assert (result.code, result.json["status"]) == (200 if status == "completed" else 500, status)
    assert house.store.queued == 0


async def test_the_result_that_was_given_is_what_response_url_gives(house: House) -> None:
    id = await house.submit()
    await deferred(house, id)
    result = {"status": 201, "headers": {"X-A": "1"}, "body": {"uid": "1-2"}}
    await resolve(house, id, {**DONE, "result": result})
    seen = await house.ask("GET", f"/async/result/{id}")
    assert (seen.code, seen.json, seen.header("x-a")) == (201, {"uid": "1-2"}, "1")


@pytest.mark.parametrize("state", ["pending", "sending", "completed", "unreachable", "cancelled"])
async def test_where_nothing_is_unknown_there_is_nothing_to_resolve(house: House, state: str) -> None:
    id = await house.submit()
    match state:
        case "sending":
            await house.begin(id)
        case "completed":
            await house.end(id)
        case "unreachable":
            await house.breaks(id, Outcome.UNREACHABLE)
        case "cancelled":
            await house.ask("POST", f"/-/transactions/{id}/cancel")
    before = await house.find(id)
    assert is_problem(await resolve(house, id, DONE), 409)
    assert await house.find(id) == before


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (b"no", "body"),
        ({"status": "cancelled", "reason": "x"}, "status"),
        ({"status": "failed"}, "reason"),
        ({"status": "failed", "reason": " "}, "reason"),
        ({"status": "failed", "reason": "x", "by": ""}, "by"),
        ({"status": "failed", "reason": "x", "why": "y"}, "why"),
        ({"status": "failed", "reason": "x", "result": {"status": 200}}, "result.status"),
    ],
)
async def test_what_is_wrong_is_named(house: House, said: Any, field: str) -> None:
    id = await house.submit()
    await fails_in_doubt(house, id)
    seen = await resolve(house, id, said)
    assert is_problem(seen, 400) and seen.json["field"] == field


async def test_without_a_name_it_was_the_tenant(house: House) -> None:
    id = await house.submit()
    await fails_in_doubt(house, id)
    seen = await resolve(house, id, {"status": "failed", "reason": "Not there."})
    assert seen.json["events"][-1]["data"]["by"] == "default"
    assert is_problem(await resolve(house, "nobody", DONE), 404)
