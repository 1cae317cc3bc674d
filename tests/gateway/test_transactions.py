"""Dialect `transaction` on the wire (seed 004)."""

from typing import Any

import pytest

from restante.core.clock import DAY, HOUR, MINUTE, SECOND
from restante.core.policy import Route
from restante.core.status import Dialect, Outcome

from .conftest import MakeHouse
from .house import House
from .wire import Seen

LIST = "/seller/v0/transactions"


def asynchronous(path: str, transactions: str = LIST, *, method: str = "POST", **more: Any) -> Route:
    return Route(method=method, path=path, dialect=Dialect.TRANSACTION, transactions=transactions, **more)


TICKETS = asynchronous(
    "/channel/v0/tickets",
    operation="create",
    tracking_id="/tracking",
    messages=(("completed", "Criação de ticket bem sucedida"),),
)


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(routes=[TICKETS])


async def ids(house: House, query: str, path: str = LIST) -> list[str]:
    seen = await house.ask("GET", path + query)
    assert seen.code == 200, seen
    return [one["id"] for one in seen.json["results"]]


async def test_the_plain_path_answers_with_a_transaction_and_a_path(house: House) -> None:
    seen = await house.ask("POST", "/channel/v0/tickets?a=1")
    assert seen.code == 202
    id = seen.json["transaction_id"]
    assert seen.pairs == [("transaction_id", id), ("links", [[("path", f"{LIST}/{id}")]])]
    assert seen.header("location") == f"{LIST}/{id}"
    assert seen.header("retry-after") == "1"
    assert seen.header("restante-status") == "pending"
    stored = await house.find(id)
    assert (stored.dialect, stored.path, stored.query) == (
        Dialect.TRANSACTION,
        "/channel/v0/tickets",
        "a=1",
    )
    assert house.upstream.came == []


async def test_the_accept_code_of_this_dialect_is_always_202(make_house: MakeHouse) -> None:
    house = await make_house(routes=[TICKETS], accept_status=200)
    assert (await house.ask("POST", "/channel/v0/tickets")).code == 202


async def test_one_transaction_is_shown_with_its_events_in_the_seeds_order(house: House) -> None:
    id = await house.submit("/channel/v0/tickets")
    await house.clock.advance(MINUTE)
    await house.end(id, 201, b'{"id":"8f6a"}')
    seen = await house.ask("GET", f"{LIST}/{id}")
    assert (seen.code, seen.header("restante-status")) == (200, "completed")
    assert seen.header("cache-control") == "no-store"
    assert [key for key, _ in seen.pairs] == [
        "created_at",
        "updated_at",
        "id",
        "code",
        "operation",
        "trigger_endpoint",
        "status",
        "events",
    ]
    shown = seen.json
    assert shown["created_at"] == "2024-11-08T11:49:35.938000"
    assert shown["updated_at"] == "2024-11-08T11:50:35.938000"
    assert (shown["id"], shown["code"]) == (id, id[:8].upper())
    assert (shown["operation"], shown["trigger_endpoint"]) == ("create", "channel/v0/tickets")
    assert [event["status"] for event in shown["events"]] == ["pending", "processing", "completed"]
    assert list(shown["events"][-1]) == ["event", "message", "data", "status", "created_at"]
    assert shown["events"][-1]["created_at"] == "2024-11-08T11:50:35.938000"


async def test_the_upstreams_answer_is_the_events_data_as_long_as_it_is_kept(house: House) -> None:
    id = await house.submit("/channel/v0/tickets")
    await house.end(id, 201, b'{"id":"8f6a"}', data=None)
    shown = (await house.ask("GET", f"{LIST}/{id}")).json
    assert shown["events"][-1]["data"] == {"id": "8f6a"}
    assert (await house.ask("GET", LIST)).json["results"] == [shown]
    await house.clock.advance(DAY)
    assert (await house.ask("GET", f"{LIST}/{id}")).json["events"][-1]["data"] == {}


@pytest.mark.parametrize("id", ["", "1", "a/b", "%FF", "00000000-0000-8000-8000-000000000000", "x" * 3000])
async def test_an_unknown_transaction_is_404(house: House, id: str) -> None:
    for method in ("GET", "HEAD"):
        seen = await house.ask(method, f"{LIST}/{id}")
        assert seen.code == 404
        assert seen.header("restante-status") == "unknown"
    assert list((await house.ask("GET", f"{LIST}/{id}")).json) == ["message"]
    assert house.upstream.came == []


async def test_a_tasks_id_is_unknown_here(house: House) -> None:
    id = await house.submit("/async/channel/v0/tickets")
    assert (await house.ask("GET", f"{LIST}/{id}")).code == 404
    assert await ids(house, "") == []


async def test_reading_the_transactions_path_is_never_forwarded_and_writing_is(house: House) -> None:
    for path in (LIST, LIST + "/1", LIST + "/1/2", LIST + "/"):
        await house.ask("GET", path)
        await house.ask("HEAD", path)
    assert house.upstream.came == []
    assert (await house.ask("DELETE", f"{LIST}/1")).body == b"ok"
    assert (await house.ask("GET", LIST + "X")).body == b"ok"
    assert [came.target for came in house.upstream.came] == [f"{LIST}/1", LIST + "X"]


# -- the list


async def several(house: House, count: int) -> list[str]:
    made = []
    for _ in range(count):
        made.append(await house.submit("/channel/v0/tickets"))
        await house.clock.advance(MINUTE)
    return made


async def test_the_list_is_newest_first_in_pages_with_links(house: House) -> None:
    made = await several(house, 5)
    made.reverse()

    async def page(query: str) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
        seen = await house.ask("GET", LIST + query)
        assert [key for key, _ in seen.pairs] == ["meta", "results"]
        meta = seen.json["meta"]
        assert list(meta) == ["page", "links"]
        assert list(meta["page"]) == ["limit", "offset", "count", "max_limit"]
        assert list(meta["links"]) == ["previous", "self", "next"]
        return [one["id"] for one in seen.json["results"]], meta["page"], meta["links"]

    assert await page("") == (
        made,
        {"limit": 50, "offset": 0, "count": 5, "max_limit": 100},
        {"previous": None, "self": "?_offset=0&_limit=50", "next": None},
    )
    assert await page("?_limit=2") == (
        made[:2],
        {"limit": 2, "offset": 0, "count": 2, "max_limit": 100},
        {"previous": None, "self": "?_offset=0&_limit=2", "next": "?_offset=2&_limit=2"},
    )
    assert await page("?_offset=3&_limit=2&status=pending") == (
        made[3:],
        {"limit": 2, "offset": 3, "count": 2, "max_limit": 100},
        {
            "previous": "?_offset=1&_limit=2&status=pending",
            "self": "?_offset=3&_limit=2&status=pending",
            "next": None,
        },
    )
    assert (await page("?_offset=9"))[0] == []


async def test_following_the_links_sees_each_once(house: House) -> None:
    made = await several(house, 7)
    query: str | None = "?_limit=3&created_at_gte=2024-11-08T11:49:35.938%2B00:00&_sort=created_at:asc"
    seen: list[str] = []
    while query is not None:
        answer = await house.ask("GET", LIST + query)
        seen += [one["id"] for one in answer.json["results"]]
        query = answer.json["meta"]["links"]["next"]
    assert seen == made


async def test_the_list_is_filtered_and_sorted(house: House) -> None:
    first, second, third, fourth = await several(house, 4)
    await house.end(second)
    await house.clock.advance(MINUTE)
    await house.breaks(first, Outcome.TIMED_OUT)
    assert await ids(house, "?status=pending") == [fourth, third]
    assert await ids(house, "?status=failed") == [first]
    assert await ids(house, "?status=completed&operation=create") == [second]
    assert await ids(house, "?operation=delete") == []
    assert await ids(house, "?_sort=created_at:asc") == [first, second, third, fourth]
    at = "created_at_gte=2024-11-08T11:50:35.938&created_at_lte=2024-11-08T11:51:35.938"
    assert await ids(house, "?" + at) == [third, second]
    assert await ids(house, "?created_at_gte=2024-11-08T08:52:35.938-03:00") == [fourth]
    assert await ids(house, "?created_at_gte=2024-11-08&created_at_lte=2024-11-08") == [
        fourth,
        third,
        second,
        first,
    ]
    assert await ids(house, "?created_at_gte=2024-11-09") == []
    assert await ids(house, "?status=&operation=") == [fourth, third, second, first]


async def test_the_list_finds_a_tracking_id(house: House) -> None:
    wire = await house.wire()
    seen = await wire.ask("POST", "/channel/v0/tickets", {}, b'{"tracking":"a b&c"}')
    await house.submit("/channel/v0/tickets")
    assert await ids(house, "?tracking_id=a%20b%26c") == [seen.json["transaction_id"]]
    links = (await house.ask("GET", LIST + "?tracking_id=a+b%26c")).json["meta"]["links"]
    assert links["self"] == "?_offset=0&_limit=50&tracking_id=a+b%26c"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("created_at_gte=yesterday", "created_at_gte"),
        ("created_at_lte=2024-13-01", "created_at_lte"),
        ("created_at_gte=0001-01-01T00:00:00%2B14:00", "created_at_gte"),
        ("_limit=0", "_limit"),
        ("_limit=101", "_limit"),
        ("_limit=ten", "_limit"),
        ("_limit=%D9%A3", "_limit"),
        ("_offset=-1", "_offset"),
        ("_offset=10001", "_offset"),
        ("_offset=" + "9" * 5000, "_offset"),
        ("_sort=id:asc", "_sort"),
        ("_sort=created_at", "_sort"),
        ("_sort=updated_at:desc", "_sort"),
        ("operation=" + "x" * 300, "operation"),
    ],
)
async def test_a_bad_parameter_is_refused_by_name(house: House, query: str, field: str) -> None:
    seen = await house.ask("GET", f"{LIST}?{query}")
    assert (seen.code, list(seen.json), seen.json["field"]) == (400, ["message", "field"], field)
    assert field in seen.json["message"]


async def test_a_query_of_too_many_parameters_is_refused(house: House) -> None:
    assert (await house.ask("GET", f"{LIST}?{'&'.join(['a=1'] * 60)}")).code == 400


# -- several audiences

SELLER = "/seller/v0/transactions"
CHANNEL = "/channel/v0/transactions"


@pytest.fixture
async def two(make_house: MakeHouse) -> House:
    return await make_house(
        routes=[
            asynchronous("/shared/special", CHANNEL, method="PUT"),
            asynchronous("/seller/v0/tickets", SELLER),
            asynchronous("/seller/v0/tickets/*", SELLER),
            asynchronous("/seller/v0/tickets/*", SELLER, method="PUT"),
            asynchronous("/shared/*", SELLER, method="*"),
            asynchronous("/channel/v0/*/events", CHANNEL),
        ]
    )


async def test_each_audience_lists_its_own(two: House) -> None:
    made: dict[str, list[str]] = {SELLER: [], CHANNEL: []}
    calls = [
        ("POST", "/seller/v0/tickets", SELLER),
        ("PUT", "/shared/special", CHANNEL),
        ("POST", "/shared/special", SELLER),
        ("POST", "/seller/v0/tickets/1/messages", SELLER),
        ("POST", "/channel/v0/tickets/1/events", CHANNEL),
        ("PUT", "/seller/v0/tickets/1", SELLER),
        ("POST", "/channel/v0/x/events", CHANNEL),
    ]
    for method, path, audience in calls:
        seen: Seen = await two.ask(method, path)
        id = seen.json["transaction_id"]
        assert seen.json["links"] == [{"path": f"{audience}/{id}"}]
        made[audience].insert(0, id)
        other = CHANNEL if audience == SELLER else SELLER
        assert (await two.ask("GET", f"{audience}/{id}")).code == 200
        assert (await two.ask("GET", f"{other}/{id}")).code == 404
        await two.clock.advance(MINUTE)
    for audience, expected in made.items():
        assert await ids(two, "", audience) == expected
        assert await ids(two, "?_sort=created_at:asc", audience) == expected[::-1]
        assert await ids(two, "?_limit=2&_offset=1", audience) == expected[1:3]
        links = (await two.ask("GET", f"{audience}?_limit=2")).json["meta"]["links"]
        assert (links["next"] is None) == (len(expected) <= 2)
    await two.clock.advance(HOUR)


@pytest.mark.parametrize("sort", ["created_at:desc", "created_at:asc"])
async def test_who_follows_the_links_sees_all_however_long_the_list_is(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr("restante.dialects.transaction.MAX_OFFSET", 4)
    house = await make_house(routes=[TICKETS])
    ids = []
    for number in range(17):
        if number % 3:
            await house.clock.advance(SECOND)
        ids.append(await house.submit("/channel/v0/tickets"))
    seen: list[str] = []
    link: str | None = f"?_limit=3&_sort={sort}"
    while link is not None:
        page = (await house.ask("GET", f"/seller/v0/transactions{link}")).json
        seen += [row["id"] for row in page["results"]]
        link = page["meta"]["links"]["next"]
        assert len(seen) <= 17
    assert seen == (ids if sort.endswith("asc") else ids[::-1])
