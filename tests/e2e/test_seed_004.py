"""Seed 004, sentence by sentence, over HTTP, in front of the demo ticket API."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .harness import Process, caller, free_port, serving

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
CONFIG = """
[[routes]]
match = "POST /channel/v0/tickets"
dialect = "transaction"
transactions = "/seller/v0/transactions"
operation = "create"
data = { ticket_id = "/id" }
messages = { completed = "Criação de ticket bem sucedida", failed = "Falha na criação de ticket" }
"""
TICKET = {
    "type_code": "marketplace-entrega",
    "subject": "Entrega",
    "description": "O pedido não chegou",
    "order_id": "1234",
}


class Seller:
    def __init__(self, gateway: Process) -> None:
        self.client = caller(base_url=gateway.url)

    async def open(self, **changes: object) -> dict:
        answer = await self.client.post("/channel/v0/tickets", json=TICKET | changes)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def concluded(self, opened: dict) -> dict:
        for _ in range(1000):
            found = (await self.client.get(opened["links"][0]["path"])).json()
            if found["status"] not in ("pending", "processing"):
                return found
            await asyncio.sleep(0.01)
        raise AssertionError("it did not conclude")


@pytest.fixture
async def seller(tmp_path: Path) -> AsyncIterator[Seller]:
    port = free_port()
    upstream = Process(
        "-m",
        "restante.demo.tickets",
        "--listen",
        f"127.0.0.1:{port}",
        "--delay",
        "0",
        port=port,
        cwd=tmp_path,
    )
    await upstream.listening()
    (tmp_path / "restante.toml").write_text(CONFIG)
    gateway = await serving(f"http://127.0.0.1:{port}", tmp_path).ready()
    made = Seller(gateway)
    yield made
    await made.client.aclose()
    await gateway.kill()
    await upstream.kill()


async def test_the_initial_response_has_the_transaction_id_and_a_link(seller: Seller) -> None:
    opened = await seller.open()
    assert list(opened) == ["transaction_id", "links"]
    assert opened["links"] == [{"path": f"/seller/v0/transactions/{opened['transaction_id']}"}]


async def test_a_completed_transaction_is_as_in_the_seed(seller: Seller) -> None:
    opened = await seller.open()
    found = await seller.concluded(opened)
    assert list(found) == [
        "created_at",
        "updated_at",
        "id",
        "code",
        "operation",
        "trigger_endpoint",
        "status",
        "events",
    ]
    assert found["id"] == opened["transaction_id"]
    assert found["code"] == found["id"][:8].upper()
    assert (found["operation"], found["trigger_endpoint"]) == ("create", "channel/v0/tickets")
    assert found["status"] == "completed"
    assert MOMENT.fullmatch(found["created_at"]) and MOMENT.fullmatch(found["updated_at"])
    latest = found["events"][-1]
    assert list(latest) == ["event", "message", "data", "status", "created_at"]
    assert (latest["event"], latest["status"]) == ("transition", "completed")
    assert latest["message"] == "Criação de ticket bem sucedida"
    assert list(latest["data"]) == ["ticket_id"]
    assert MOMENT.fullmatch(latest["created_at"])
    ticket = await seller.client.get(f"/channel/v0/tickets/{latest['data']['ticket_id']}")
    assert ticket.status_code == 200


async def test_a_failed_transaction_carries_its_error_message_in_an_event(seller: Seller) -> None:
    found = await seller.concluded(await seller.open(type_code="mktplace-entrega"))
    assert found["status"] == "failed"
    latest = found["events"][-1]
    assert (latest["event"], latest["status"]) == ("failure", "failed")
    assert latest["message"] == "Falha na criação de ticket"
    assert list(latest["data"]) == ["error_message"]
    assert json.loads(latest["data"]["error_message"]) == [
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


async def test_alongside_every_status_there_is_an_event(seller: Seller) -> None:
    found = await seller.concluded(await seller.open())
    assert [event["status"] for event in found["events"]] == ["pending", "processing", "completed"]


async def test_the_list_has_page_links_and_results(seller: Seller) -> None:
    opened = [await seller.open() for _ in range(3)]
    for one in opened:
        await seller.concluded(one)
    answer = await seller.client.get(
        "/seller/v0/transactions", params={"status": "completed", "_limit": 2, "_sort": "created_at:desc"}
    )
    page = answer.json()
    assert list(page) == ["meta", "results"]
    assert list(page["meta"]["page"]) == ["limit", "offset", "count", "max_limit"]
    assert list(page["meta"]["links"]) == ["previous", "self", "next"]
    ids = [row["id"] for row in page["results"]]
    assert ids == [one["transaction_id"] for one in reversed(opened)][:2]
    rest = await seller.client.get("/seller/v0/transactions" + page["meta"]["links"]["next"])
    assert [row["id"] for row in rest.json()["results"]] == [opened[0]["transaction_id"]]


async def test_an_unknown_transaction_is_404_with_a_json_object(seller: Seller) -> None:
    answer = await seller.client.get("/seller/v0/transactions/2d97892b-50f2-4e0e-8967-3d962c29ade9")
    assert answer.status_code == 404
    assert isinstance(answer.json(), dict)
