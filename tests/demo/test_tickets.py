"""The ticket API."""

import uuid
from typing import Any

import httpx
import pytest

from restante.demo.faults import TYPES

from .conftest import TestClock

SEED_004_ERROR = [
    {
        "error_code": "UNPROCESSABLE_ENTITY",
        "message": "The request is semantically incorrect or fails business validation",
        "details": [
            {
                "issue": "INVALID_PARAMETER_VALUE",
                "description": "Field value is invalid",
                "location": "body",
                "field": "type_code",
                "value": "mktplace-entrega",
            }
        ],
    }
]


def ticket(**fields: Any) -> dict[str, Any]:
    return {
        "type_code": "marketplace-entrega",
        "subject": "Pedido atrasado",
        "description": "O pedido não chegou.",
        "order_id": "order-7",
        **fields,
    }


@pytest.mark.parametrize("audience", ["/channel/v0", "/seller/v0"])
async def test_a_ticket_is_opened_and_found(desk: httpx.AsyncClient, audience: str) -> None:
    opened = await desk.post(f"{audience}/tickets", json=ticket())
    assert opened.status_code == 201
    made = opened.json()
    assert str(uuid.UUID(made["id"])) == made["id"]
    assert made["created_at"] == "2026-05-04T03:02:01.692000"
    assert {name: made[name] for name in ticket()} == ticket()
    assert (await desk.get(f"{audience}/tickets/{made['id']}")).json() == made
    assert (await desk.get(f"{audience}/tickets?order_id=order-7")).json()["results"] == [made]


async def test_an_unknown_type_is_refused_with_the_error_list_of_the_seed(desk: httpx.AsyncClient) -> None:
    response = await desk.post("/channel/v0/tickets", json=ticket(type_code="mktplace-entrega"))
    assert (response.status_code, response.json()) == (422, SEED_004_ERROR)
    assert list(response.json()[0]) == list(SEED_004_ERROR[0])
    assert (await desk.get("/channel/v0/tickets")).json()["results"] == []


async def test_every_bad_field_is_a_detail(desk: httpx.AsyncClient) -> None:
    bad = {"subject": "", "description": 7, "order_id": []}
    response = await desk.post("/channel/v0/tickets", json=bad)
    details = response.json()[0]["details"]
    assert [(detail["field"], detail["issue"]) for detail in details] == [
        ("type_code", "MISSING_REQUIRED_PARAMETER"),
        ("subject", "MISSING_REQUIRED_PARAMETER"),
        ("description", "INVALID_PARAMETER_VALUE"),
        ("order_id", "INVALID_PARAMETER_VALUE"),
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
async def test_what_is_not_a_json_object_is_a_400(desk: httpx.AsyncClient, content: bytes) -> None:
    response = await desk.post("/channel/v0/tickets", content=content)
    assert (response.status_code, response.json()[0]["error_code"]) == (400, "BAD_REQUEST")


async def test_a_message_is_written_in_its_ticket(desk: httpx.AsyncClient, clock: TestClock) -> None:
    made = (await desk.post("/channel/v0/tickets", json=ticket())).json()
    clock.advance(60)
    path = f"/channel/v0/tickets/{made['id']}"
    written = await desk.post(f"{path}/messages", json={"message": "Onde está?"})
    assert (written.status_code, written.json()["message"]) == (201, "Onde está?")
    found = (await desk.get(path)).json()
    assert found["messages"] == [written.json()]
    assert found["updated_at"] == "2026-05-04T03:03:01.692000"
    empty = await desk.post(f"{path}/messages", json={})
    assert empty.json()[0]["details"][0]["field"] == "message"


async def test_an_unknown_ticket_is_a_404(desk: httpx.AsyncClient) -> None:
    path = f"/channel/v0/tickets/{uuid.uuid4()}"
    for response in (await desk.get(path), await desk.post(f"{path}/messages", json={"message": "x"})):
        assert (response.status_code, response.json()[0]["error_code"]) == (404, "NOT_FOUND")


async def test_tickets_are_listed_newest_first_in_pages(desk: httpx.AsyncClient) -> None:
    for subject in "abc":
        await desk.post("/channel/v0/tickets", json=ticket(subject=subject))
    page = (await desk.get("/channel/v0/tickets?_limit=2&_offset=1")).json()
    assert [found["subject"] for found in page["results"]] == ["b", "a"]
    assert page["meta"]["page"] == {"limit": 2, "offset": 1, "count": 2, "max_limit": 100}


@pytest.mark.parametrize("query", ["_limit=0", "_limit=101", "_limit=x", "_offset=-1", "_limit=%C2%B2"])
async def test_an_impossible_page_is_refused(desk: httpx.AsyncClient, query: str) -> None:
    response = await desk.get(f"/channel/v0/tickets?{query}")
    assert response.status_code == 422
    assert response.json()[0]["details"][0]["location"] == "query"


async def test_the_desk_takes_its_time_only_for_what_it_accepts(
    desk: httpx.AsyncClient, clock: TestClock
) -> None:
    headers = {"Demo-Desk-Delay": "2"}
    await desk.post("/channel/v0/tickets", json=ticket(type_code="x"), headers=headers)
    assert clock.slept == []
    for type_code in TYPES:
        response = await desk.post("/channel/v0/tickets", json=ticket(type_code=type_code), headers=headers)
        assert response.status_code == 201
    assert clock.slept == [2.0] * len(TYPES)
    bad = await desk.post("/channel/v0/tickets", json=ticket(), headers={"Demo-Desk-Delay": "soon"})
    assert bad.status_code == 400
