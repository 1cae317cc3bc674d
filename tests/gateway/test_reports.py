"""`POST /-/transactions/{id}/events`: the upstream's own word, with the token of its attempt."""

import json
from base64 import b64encode
from typing import Any

import pytest

from restante.core import change
from restante.core.clock import SECOND
from restante.core.model import Transaction
from restante.core.policy import Limits, Route
from restante.core.status import Dialect, EventKind, Phase, Status
from restante.core.token import events_token
from restante.dialects.report import MAX_REPORT

from .conftest import MakeHouse
from .house import House
from .test_native import is_problem
from .wire import Seen

DONE = {"status": "completed"}


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(routes=[Route(deferred=True)], events_url="http://127.0.0.1:1")


async def tell(house: House, id: str, said: Any, *, attempt: int = 1, token: str | None = None) -> Seen:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    token = events_token(house.store.secret, id, attempt) if token is None else token
    headers = {"Authorization": f"Bearer {token}"}
    return await (await house.wire()).ask("POST", f"/-/transactions/{id}/events", headers, body)


async def deferred(house: House, id: str) -> Transaction:
    now = house.clock.now()
    return await house.service.change(await house.begin(id), lambda t: change.defer(t, attempt=1, now=now))


async def log(house: House, id: str) -> list[tuple[str, str, Any, str]]:
    events = (await house.ask("GET", f"/-/transactions/{id}/events")).json["events"]
    return [(event["event"], event["message"], event["data"], event["status"]) for event in events]


async def test_progress_is_an_info_event_and_changes_nothing_else(house: House) -> None:
    id = await house.submit()
    before = await house.begin(id)
    seen = await tell(house, id, {"message": "Half of it", "data": {"percent": 50}})
    assert (seen.code, seen.json) == (200, {"id": id, "status": "processing", "sequence": 3})
    assert (await log(house, id))[-1] == ("info", "Half of it", {"percent": 50}, "processing")
    after = await house.find(id)
    assert (after.phase, after.due_at, after.attempt) == (before.phase, before.due_at, before.attempt)


@pytest.mark.parametrize("early", [False, True])
async def test_a_report_ends_deferred_work_even_before_the_answer_that_defers_it(
    house: House, early: bool
) -> None:
    id = await house.submit()
    await (house.begin(id) if early else deferred(house, id))
    result = {"status": 201, "headers": {"X-A": "1"}, "body": {"uid": "1-2"}}
    seen = await tell(house, id, {"status": "completed", "message": "Paid", "result": result})
    assert (seen.code, seen.json["status"]) == (200, "completed")
    assert (await log(house, id))[-1] == ("transition", "Paid", {"status_code": 201}, "completed")
    for _ in range(2):
        given = await house.ask("GET", f"/async/result/{id}")
        assert (given.code, given.json, given.header("x-a")) == (201, {"uid": "1-2"}, "1")
        assert given.header("content-type") == "application/json"


async def test_a_failure_is_handed_out_once(house: House) -> None:
    id = await house.submit()
    await deferred(house, id)
    result = {"status": 422, "body": "no"}
    assert (await tell(house, id, {"status": "failed", "result": result})).code == 200
    assert (await house.find(id)).status is Status.FAILED
    given = await house.ask("GET", f"/async/result/{id}")
    assert (given.code, given.body, given.header("content-type")) == (422, b"no", "text/plain; charset=utf-8")
    assert (await house.ask("GET", f"/async/result/{id}")).code == 404


@pytest.mark.parametrize(("status", "code"), [("completed", 200), ("failed", 500)])
async def test_without_a_result_a_small_one_is_made(house: House, status: str, code: int) -> None:
    id = await house.submit()
    await deferred(house, id)
    await tell(house, id, {"status": status, "message": "So it is", "data": {"a": 1}})
    given = await house.ask("GET", f"/async/result/{id}")
    assert given.code == code
    assert given.json == {"status": status, "message": "So it is", "data": {"a": 1}}


async def test_a_result_may_be_any_bytes_and_its_headers_pairs(house: House) -> None:
    id = await house.submit()
    await deferred(house, id)
    headers = [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["Content-Length", "7"]]
    body = b64encode(bytes(range(256))).decode()
    await tell(house, id, {"status": "completed", "result": {"headers": headers, "body_base64": body}})
    given = await house.ask("GET", f"/async/result/{id}")
    assert given.body == bytes(range(256))
    assert given.all("set-cookie") == [b"a=1", b"b=2"]


async def test_dialect_transaction_shows_what_the_route_picks(make_house: MakeHouse) -> None:
    route = Route(
        path="/tickets",
        dialect=Dialect.TRANSACTION,
        transactions="/transactions",
        deferred=True,
        data=(("ticket_id", "/id"),),
        messages=(("completed", "Criação bem sucedida"),),
    )
    house = await make_house(routes=[route], events_url="http://127.0.0.1:1")
    id = await house.submit("/tickets")
    await deferred(house, id)
    await tell(house, id, {"status": "completed", "result": {"body": {"id": "t-1", "more": 1}}})
    last = (await house.ask("GET", f"/transactions/{id}")).json["events"][-1]
    assert (last["message"], last["data"]) == ("Criação bem sucedida", {"ticket_id": "t-1"})


async def test_a_wrong_token_and_an_unknown_id_are_the_same_404(house: House) -> None:
    id, other = await house.submit(), await house.submit()
    await deferred(house, id)
    answers = [
        await tell(house, id, DONE, token=""),
        await tell(house, id, DONE, token="1.abc"),
        await tell(house, id, DONE, token="١.abc".encode().decode("latin-1")),
        await tell(house, id, DONE, token=events_token(house.store.secret, other, 1)),
        await tell(house, id, DONE, token=events_token(bytes(16), id, 1)),
        await tell(house, "nobody", DONE),
        await tell(house, f"{'0' * 8}-0000-8000-8000-{'0' * 12}", DONE),
    ]
    assert all(is_problem(seen, 404) for seen in answers)
    assert len({(seen.json["title"], seen.json["detail"]) for seen in answers}) == 1
    assert (await house.find(id)).phase is Phase.DEFERRED


async def test_the_token_may_come_in_a_field_of_its_own(house: House) -> None:
    id = await house.submit()
    await house.begin(id)
    token = events_token(house.store.secret, id, 1)
    wire = await house.wire()
    headers = {"Restante-Events-Token": token, "Authorization": "Basic other"}
    seen = await wire.ask("POST", f"/-/transactions/{id}/events", headers, b'{"message":"a"}')
    assert seen.code == 200


async def test_the_token_of_an_earlier_attempt_is_refused(house: House) -> None:
    id = await house.submit()
    now = house.clock.now()
    waiting = await house.service.change(
        await house.begin(id),
        lambda t: change.delay(t, attempt=1, now=now, until=now, reason="", doubtful=True),
    )
    await house.service.change(waiting, lambda t: change.begin(t, attempt=2, now=now, lease=SECOND))
    assert is_problem(await tell(house, id, DONE, attempt=1), 409)
    assert (await tell(house, id, DONE, attempt=2)).code == 200


async def test_a_report_between_two_attempts_counts(house: House) -> None:
    id = await house.submit()
    now = house.clock.now()
    await house.service.change(
        await house.begin(id),
        lambda t: change.delay(t, attempt=1, now=now, until=now, reason="", doubtful=True),
    )
    assert (await tell(house, id, DONE)).code == 200
    assert (await house.find(id)).due_at is None


@pytest.mark.parametrize("end", ["reported", "answered", "cancelled"])
async def test_after_the_end_nothing_can_be_reported(house: House, end: str) -> None:
    id = await house.submit()
    if end == "answered":
        await house.end(id)
    else:
        await deferred(house, id)
        if end == "reported":
            await tell(house, id, DONE)
        else:
            assert (await house.ask("POST", f"/-/transactions/{id}/cancel")).code == 200
    before = await house.find(id)
    for said in (DONE, {"status": "failed"}, {"message": "still here"}):
        assert is_problem(await tell(house, id, said), 409)
    assert await house.find(id) == before


async def test_other_routes_may_tell_but_not_end(make_house: MakeHouse) -> None:
    house = await make_house(events_url="http://127.0.0.1:1")
    id = await house.submit()
    await house.begin(id)
    assert is_problem(await tell(house, id, DONE), 409)
    assert (await tell(house, id, {"message": "Under way"})).code == 200


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (b"", "body"),
        (b"[]", "body"),
        ({}, "message"),
        ({"message": 1}, "message"),
        ({"message": "x" * 1001}, "message"),
        ({"data": []}, "data"),
        ({"data": {"a": "x" * 17_000}}, "data"),
        ({"status": "cancelled"}, "status"),
        ({"result": {}}, "result"),
        ({"percent": 5}, "percent"),
        ({**DONE, "result": []}, "result"),
        ({**DONE, "result": {"status": 500}}, "result.status"),
        ({**DONE, "result": {"status": True}}, "result.status"),
        ({"status": "failed", "result": {"status": 200}}, "result.status"),
        ({**DONE, "result": {"headers": {"a b": "c"}}}, "result.headers"),
        ({**DONE, "result": {"headers": {"a": "b\r\nc: d"}}}, "result.headers"),
        ({**DONE, "result": {"headers": [["a"]]}}, "result.headers"),
        ({**DONE, "result": {"body_base64": "?"}}, "result.body_base64"),
    ],
)
async def test_what_is_wrong_is_named(house: House, said: Any, field: str) -> None:
    id = await house.submit()
    before = await deferred(house, id)
    seen = await tell(house, id, said)
    assert is_problem(seen, 400) and seen.json["field"] == field
    assert await house.find(id) == before


async def test_reports_are_bounded_in_size_and_number(make_house: MakeHouse) -> None:
    house = await make_house(
        routes=[Route(deferred=True)], events_url="http://127.0.0.1:1", limits=Limits(events=30)
    )
    id = await house.submit()
    await deferred(house, id)
    large = json.dumps({**DONE, "result": {"body": "x" * MAX_REPORT}}).encode()
    assert is_problem(await tell(house, id, large), 413)
    for _ in range(30 - (await house.find(id)).sequence):
        assert (await tell(house, id, {"message": "a step"})).code == 200
    refused = await tell(house, id, {"message": "one more"})
    assert is_problem(refused, 409)
    assert "max_events" in refused.json["detail"]
    assert (await tell(house, id, DONE)).code == 200
    assert (await log(house, id))[-1][0] == EventKind.TRANSITION


@pytest.mark.parametrize(("status", "code"), [("completed", 204), ("failed", 304)])
async def test_a_result_that_has_no_body_is_given_none(house: House, status: str, code: int) -> None:
    id = await house.submit()
    await deferred(house, id)
    seen = await tell(house, id, {"status": status, "result": {"status": code, "body": "x"}})
    assert (seen.code, seen.json["field"]) == (400, "result.body")
    assert (await tell(house, id, {"status": status, "result": {"status": code}})).code == 200
    wire = await house.wire()
    assert (await wire.ask("GET", f"/async/result/{id}")).code == code
    again = await wire.ask("GET", f"/async/result/{id}")
    assert again.code == (204 if code == 204 else 404)
