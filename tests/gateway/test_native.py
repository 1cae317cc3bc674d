"""The native API's reads, cancel and health; its errors are problems (RFC 9457)."""

from typing import Any

import pytest

from restante.core.clock import DAY, MINUTE
from restante.core.errors import StoreUnavailable
from restante.core.status import Outcome, Reading

from .conftest import MakeHouse
from .house import House
from .wire import Seen

FIELDS = [
    "id",
    "code",
    "status",
    "outcome",
    "operation",
    "trigger_endpoint",
    "tracking_id",
    "tenant",
    "dialect",
    "method",
    "path",
    "query",
    "upstream",
    "priority",
    "attempt",
    "retry_of",
    "sequence",
    "created_at",
    "updated_at",
    "due_at",
    "waiting",
    "deadline",
    "expires_at",
    "result",
]


def is_problem(seen: Seen, code: int, instance: str | None = None) -> bool:
    assert seen.code == code, seen
    assert seen.header("content-type") == "application/problem+json"
    problem = seen.json
    assert list(problem)[:5] == ["type", "title", "status", "detail", "instance"]
    assert problem["status"] == code
    assert problem["type"].startswith("urn:restante:problem:")
    assert instance is None or problem["instance"] == instance
    return True


async def test_one_shows_every_public_field(house: House) -> None:
    id = await house.submit("/async/payments?a=%20b", Restante_Tracking_Id="order 7", Restante_Priority="3")
    seen = await house.ask("GET", f"/-/transactions/{id}")
    assert seen.code == 200
    assert (seen.header("content-type"), seen.header("cache-control")) == ("application/json", "no-store")
    assert [key for key, _ in seen.pairs] == [*FIELDS, "events"]
    expected: dict[str, Any] = {
        "id": id,
        "code": id[:8].upper(),
        "status": "pending",
        "outcome": None,
        "operation": "create",
        "trigger_endpoint": "payments",
        "tracking_id": "order 7",
        "tenant": "default",
        "dialect": "task",
        "method": "POST",
        "path": "/payments",
        "query": "a=%20b",
        "upstream": "default",
        "priority": 3,
        "attempt": 0,
        "retry_of": None,
        "sequence": 1,
        "created_at": "2024-11-08T11:49:35.938000Z",
        "updated_at": "2024-11-08T11:49:35.938000Z",
        "due_at": "2024-11-08T11:49:35.938000Z",
        "waiting": None,
        "deadline": "2024-11-09T11:49:35.938000Z",
        "expires_at": "2024-11-09T11:49:35.938000Z",
        "result": None,
        "events": [
            {
                "sequence": 1,
                "event": "transition",
                "message": "Accepted",
                "data": {},
                "status": "pending",
                "created_at": "2024-11-08T11:49:35.938000Z",
            }
        ],
    }
    assert seen.json == expected


async def test_it_tells_what_became_of_the_result(house: House) -> None:
    id = await house.submit()
    await house.end(id, 422)

    async def shown() -> Any:
        seen = (await house.ask("GET", f"/-/transactions/{id}")).json
        assert (seen["status"], seen["outcome"], seen["attempt"], seen["due_at"]) == (
            "failed",
            "answered",
            1,
            None,
        )
        return seen["result"]

    assert await shown() == {"status": 422, "kept": True, "read": False}
    await house.ask("GET", f"/async/result/{id}")
    await house.reading_becomes(id, Reading.READ)
    assert await shown() == {"status": 422, "kept": True, "read": True}
    await house.clock.advance(DAY)
    assert await shown() == {"status": 422, "kept": False, "read": True}


async def test_the_result_is_verbatim_and_never_consumed(house: House) -> None:
    id = await house.submit()
    is_problem(await house.ask("GET", f"/-/transactions/{id}/result"), 425)
    await house.end(id, 404, b"\x00\xff", ((b"X-A", b"1"),))
    await house.ask("GET", f"/async/result/{id}")
    for _ in range(2):
        seen = await house.ask("GET", f"/-/transactions/{id}/result")
        assert (seen.code, seen.body) == (404, b"\x00\xff")
        inert = ["content-security-policy", "x-content-type-options"]
        assert seen.headers[:2] == [("x-a", b"1"), ("content-length", b"2")]
        assert [name for name, _ in seen.headers[2:]] == inert
    await house.clock.advance(DAY)
    is_problem(await house.ask("GET", f"/-/transactions/{id}/result"), 404)


@pytest.mark.parametrize("end", ["broken", "cancelled"])
async def test_where_the_upstream_gave_no_answer_there_is_no_result(house: House, end: str) -> None:
    id = await house.submit()
    if end == "broken":
        await house.breaks(id, Outcome.INTERRUPTED)
    else:
        await house.ask("POST", f"/-/transactions/{id}/cancel")
    seen = await house.ask("GET", f"/-/transactions/{id}/result")
    assert is_problem(seen, 404)
    assert seen.json["title"] == "No result"


async def test_events_come_in_pages_whatever_their_number(house: House) -> None:
    id = await house.submit()
    await house.tell(id, 2500)
    numbers: list[int] = []
    target = f"/-/transactions/{id}/events"
    after, pages = 0, 0
    while after is not None:
        page = (await house.ask("GET", f"{target}?after={after}")).json
        numbers += [event["sequence"] for event in page["events"]]
        after, pages = page["next"], pages + 1
    assert (numbers, pages) == (list(range(1, 2501)), 3)
    few = (await house.ask("GET", f"{target}?after=2490&limit=4")).json
    assert ([event["sequence"] for event in few["events"]], few["next"]) == ([2491, 2492, 2493, 2494], 2494)
    last = (await house.ask("GET", f"{target}?limit=4&after=2496")).json
    assert (len(last["events"]), last["next"]) == (4, None)
    assert (await house.ask("GET", f"{target}?after=9999")).json == {"events": [], "next": None}
    whole = (await house.ask("GET", f"/-/transactions/{id}")).json["events"]
    assert [event["sequence"] for event in whole] == numbers


@pytest.mark.parametrize("limit", ["0", "1001", "x", "-1", "1&limit=2", "9" * 30])
async def test_a_wrong_limit_of_events_is_named(house: House, limit: str) -> None:
    id = await house.submit()
    seen = await house.ask("GET", f"/-/transactions/{id}/events?limit={limit}")
    is_problem(seen, 400)
    assert seen.json["field"] == "limit"


async def test_the_events_alone(house: House) -> None:
    id = await house.submit()
    await house.end(id)
    seen = await house.ask("GET", f"/-/transactions/{id}/events")
    assert list(seen.json) == ["events", "next"]
    assert seen.json["next"] is None
    assert seen.json["events"] == (await house.ask("GET", f"/-/transactions/{id}")).json["events"]
    assert [event["sequence"] for event in seen.json["events"]] == [1, 2, 3]


async def test_cancelling(house: House) -> None:
    id = await house.submit()
    for _ in range(2):
        seen = await house.ask("POST", f"/-/transactions/{id}/cancel")
        assert (seen.code, seen.json["status"]) == (200, "cancelled")
        assert [event["status"] for event in seen.json["events"]] == ["pending", "cancelled"]
    late = await house.submit()
    await house.begin(late)
    is_problem(await house.ask("POST", f"/-/transactions/{late}/cancel"), 409)
    is_problem(await house.ask("POST", "/-/transactions/x/cancel"), 404)


# -- the list


async def several(house: House, count: int) -> list[str]:
    made = []
    for number in range(count):
        made.insert(0, await house.submit(f"/async/p{number % 2}"))
        await house.clock.advance(MINUTE)
    return made


async def listed(house: House, query: str = "") -> list[str]:
    seen = await house.ask("GET", f"/-/transactions{query}")
    assert seen.code == 200, seen
    return [one["id"] for one in seen.json["transactions"]]


async def test_the_list_is_filtered(house: House) -> None:
    made = await several(house, 4)
    await house.end(made[0])
    assert await listed(house) == made
    assert await listed(house, "?status=pending") == made[1:]
    assert await listed(house, "?operation=create&status=completed") == made[:1]
    assert await listed(house, "?trigger_endpoint=p0") == [made[1], made[3]]
    assert await listed(house, "?trigger_endpoint=/p0") == [made[1], made[3]]
    assert await listed(house, "?tracking_id=x") == []
    assert await listed(house, "?created_from=2024-11-08T11:51:35.938Z") == made[:2]
    assert await listed(house, "?created_to=2024-11-08T11:50:35.938Z") == made[2:]
    assert await listed(house, "?tenant=default") == made
    assert await listed(house, "?tenant=other") == []
    seen = await house.ask("GET", "/-/transactions?limit=1")
    assert list(seen.json) == ["transactions", "next"]
    assert list(seen.json["transactions"][0]) == FIELDS


async def test_a_cursor_is_stable_under_inserts(house: House) -> None:
    made = await several(house, 7)
    seen: list[str] = []
    query = "?limit=3"
    while True:
        page = (await house.ask("GET", f"/-/transactions{query}")).json
        seen += [one["id"] for one in page["transactions"]]
        if page["next"] is None:
            break
        await several(house, 2)
        query = f"?limit=3&after={page['next']}"
    assert seen == made


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("after=x", "after"),
        ("created_from=x", "created_from"),
        ("created_to=2024", "created_to"),
        ("state=pending", "state"),
    ],
)
async def test_a_bad_parameter_is_a_problem_that_names_it(house: House, query: str, field: str) -> None:
    seen = await house.ask("GET", f"/-/transactions?{query}")
    assert is_problem(seen, 400, "/-/transactions")
    assert seen.json["field"] == field


# -- the rest


async def test_head_works_where_get_does(house: House) -> None:
    id = await house.submit()
    await house.end(id)
    for path in (
        "transactions",
        f"transactions/{id}",
        f"transactions/{id}/result",
        f"transactions/{id}/events",
        "store",
        "healthz",
        "readyz",
    ):
        get = await house.ask("GET", f"/-/{path}")
        head = await house.ask("HEAD", f"/-/{path}")
        assert (head.code, head.body) == (200, b"")
        assert head.headers == get.headers


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "transactions", "GET, HEAD"),
        ("DELETE", "transactions/x", "GET, HEAD"),
        ("GET", "transactions/x/cancel", "POST"),
        ("HEAD", "transactions/x/cancel", "POST"),
        ("PUT", "healthz", "GET, HEAD"),
    ],
)
async def test_another_method_is_405_with_what_is_allowed(
    house: House, method: str, path: str, allow: str
) -> None:
    seen = await house.ask(method, f"/-/{path}")
    assert (seen.code, seen.header("allow")) == (405, allow)
    if method != "HEAD":
        is_problem(seen, 405)


@pytest.mark.parametrize(
    "path",
    ["x", "transactions/", "transactions/x", "transactions/x/y", "transactions/x/events/", "../x", "%2e"],
)
async def test_an_unknown_path_is_a_404_problem(house: House, path: str) -> None:
    is_problem(await house.ask("GET", f"/-/{path}"), 404, f"/-/{path}")
    assert house.upstream.came == []


async def test_health_is_life_and_readiness_is_accepting(house: House) -> None:
    assert (await house.ask("GET", "/-/healthz")).json == {"status": "ok"}
    assert (await house.ask("GET", "/-/readyz")).json == {"status": "ok"}
    house.service.accepting = False
    assert (await house.ask("GET", "/-/healthz")).code == 200
    seen = await house.ask("GET", "/-/readyz")
    assert is_problem(seen, 503)
    assert seen.header("retry-after") == "5"


async def test_how_the_store_is(house: House) -> None:
    seen = (await house.ask("GET", "/-/store")).json
    assert seen["queued"] == 0
    assert seen["seen_at"] == "2024-11-08T11:49:35.938000Z"
    assert seen["alarms"] == []
    assert seen["measures"]["file_bytes"]["value"] > 0
    assert seen["measures"]["free_on_disk_bytes"]["limit"] == 2 * house.policy.limits.reserve


async def test_a_store_that_takes_no_writes_is_not_ready(house: House) -> None:
    await house.store.close()
    is_problem(await house.ask("GET", "/-/readyz"), 503)
    assert (await house.ask("GET", "/-/healthz")).code == 200
    seen = await house.ask("POST", "/async/x")
    assert (seen.code, list(seen.json)) == (503, ["message"])


async def test_the_native_api_can_have_an_address_of_its_own(make_house: MakeHouse) -> None:
    house = await make_house()
    outer, inner = await house.serve(native=False), await house.serve(public=False)

    async def ask(port: int, method: str, path: str) -> Seen:
        wire = await house.wire(port)
        return await wire.ask(method, path)

    is_problem(await ask(outer, "GET", "/-/healthz"), 404)
    assert (await ask(inner, "GET", "/-/healthz")).code == 200
    assert (await ask(outer, "POST", "/async/x")).code == 202
    for method, path in (("POST", "/async/x"), ("GET", "/async/status/1"), ("GET", "/x")):
        seen = await ask(inner, method, path)
        assert (seen.code, list(seen.json)) == (404, ["message"])
    assert house.upstream.came == []


@pytest.mark.sound_store("its own store fails")
async def test_a_refusal_for_now_is_not_taken_for_the_end_of_failed_work(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await house.submit()
    await house.breaks(id, Outcome.UNREACHABLE)

    async def refusing(*what: object, **how: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(house.store, "events", refusing)
    seen = await house.ask("GET", f"/-/transactions/{id}")
    assert (seen.code, seen.header("restante-status")) == (503, "unknown")
    monkeypatch.undo()
    assert (await house.ask("GET", f"/-/transactions/{id}")).header("restante-status") == "failed"
