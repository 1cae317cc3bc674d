"""Seed 000, sentence by sentence, as its user: over HTTP, in front of the demo payment API.

The client `bepaid` was written by others against the original platform.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bepaid.client import AsyncBepaidClient
from bepaid.errors import ApiError
from bepaid.models import CreditCardRaw, PaymentRequest

from .harness import Process, caller, free_port, serving

SHOP = ("361", "b8647b68898b084b836474ed8d61ffe117c9a01168d867f24953b776ddcb134d")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
WRONG = {"message": "We're sorry, but something went wrong"}


def payment(number: str = "4200000000000000", amount: int = 100) -> dict:
    return {
        "request": {
            "amount": amount,
            "currency": "USD",
            "description": "Test transaction",
            "tracking_id": "your_uniq_number",
            "duplicate_check": False,
            "credit_card": {
                "number": number,
                "verification_value": "123",
                "holder": "John Doe",
                "exp_month": "05",
                "exp_year": "2037",
            },
        }
    }


class Shop:
    """A shop's view: the gateway's URL, and its credentials."""

    def __init__(self, gateway: Process) -> None:
        self.url = gateway.url
        self.client = caller(base_url=gateway.url, auth=SHOP)

    async def pay(self, **what: object) -> dict:
        answer = await self.client.post("/async/transactions/payments", json=payment(**what))
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def done(self, accepted: dict) -> None:
        for _ in range(1000):
            answer = await self.client.get(accepted["status_url"])
            if answer.json().get("status") != "processing":
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it did not end")


def paying(folder: Path, port: int, delay: float) -> Process:
    """The demo payment API alone."""
    return Process(
        "-m",
        "restante.demo.payments",
        "--listen",
        f"127.0.0.1:{port}",
        "--delay",
        str(delay),
        "--shop",
        ":".join(SHOP),
        port=port,
        cwd=folder,
    )


@asynccontextmanager
async def a_shop(folder: Path, *, delay: float) -> AsyncIterator[Shop]:
    """In front of a payment API whose bank takes `delay` seconds."""
    port = free_port()
    upstream = await paying(folder, port, delay).listening()
    gateway = await serving(f"http://127.0.0.1:{port}", folder).ready()
    made = Shop(gateway)
    yield made
    await made.client.aclose()
    await gateway.kill()
    await upstream.kill()


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with a_shop(tmp_path, delay=0.0) as made:
        yield made


@pytest.fixture
async def slow_shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with a_shop(tmp_path, delay=60.0) as made:
        yield made


async def test_the_accept_answer_has_the_seeds_four_parameters(slow_shop: Shop) -> None:
    accepted = await slow_shop.pay()
    id = accepted["request_id"]
    assert UUID.fullmatch(id)
    assert list(accepted.items()) == [
        ("status", "processing"),
        ("request_id", id),
        ("status_url", f"{slow_shop.url}/async/status/{id}"),
        ("response_url", f"{slow_shop.url}/async/result/{id}"),
    ]


async def test_a_task_still_in_the_process_says_processing_at_both_urls(slow_shop: Shop) -> None:
    accepted = await slow_shop.pay()
    status = await slow_shop.client.get(accepted["status_url"])
    assert status.status_code == 200
    assert status.json() == {"status": "processing", "request_id": accepted["request_id"]}
    result = await slow_shop.client.get(accepted["response_url"])
    assert result.status_code == 425
    assert {"status": "processing", "request_id": accepted["request_id"]}.items() <= result.json().items()


async def test_a_completed_task_says_where_its_result_is(shop: Shop) -> None:
    accepted = await shop.pay()
    await shop.done(accepted)
    answer = await shop.client.get(accepted["status_url"])
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "completed",
        "request_id": accepted["request_id"],
        "response_url": accepted["response_url"],
    }


async def test_the_result_is_the_standard_response_and_may_be_read_again_and_again(shop: Shop) -> None:
    accepted = await shop.pay()
    await shop.done(accepted)
    first, second = [await shop.client.get(accepted["response_url"]) for _ in range(2)]
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert first.json()["transaction"]["status"] == "successful"
    uid = first.json()["transaction"]["uid"]
    plain = await shop.client.get(f"/transactions/{uid}")
    assert plain.json()["transaction"]["uid"] == uid


async def test_the_status_step_may_be_skipped(shop: Shop) -> None:
    accepted = await shop.pay()
    for _ in range(1000):
        answer = await shop.client.get(accepted["response_url"])
        if answer.status_code != 425:
            break
        await asyncio.sleep(0.01)
    assert answer.json()["transaction"]["tracking_id"] == "your_uniq_number"


async def test_an_unknown_request_id_is_404_unknown_at_both_urls(shop: Shop) -> None:
    for what in ("status", "result"):
        for id in ("a2ac9f8e-1b22-486b-be46-528e48be6c76", "10203", "52168", "x" * 3000):
            answer = await shop.client.get(f"/async/{what}/{id}")
            assert answer.status_code == 404
            assert answer.json() == {"status": "unknown", "request_id": id}


async def test_an_error_description_is_returned_once(shop: Shop) -> None:
    answer = await shop.client.post("/async/transactions/payments", json={"request": {"amount": 0}})
    accepted = answer.json()
    await shop.done(accepted)
    status = await shop.client.get(accepted["status_url"])
    assert status.json()["status"] == "completed"
    first = await shop.client.get(accepted["response_url"])
    assert first.status_code == 422
    assert "message" in first.json() and "errors" in first.json()
    for url in (accepted["response_url"], accepted["status_url"]):
        again = await shop.client.get(url)
        assert again.status_code == 404
        assert again.json() == {"status": "unknown", "request_id": accepted["request_id"]}


async def test_of_many_racing_readers_of_an_error_one_gets_it(shop: Shop) -> None:
    answer = await shop.client.post("/async/transactions/payments", json={"request": {"amount": 0}})
    accepted = answer.json()
    await shop.done(accepted)
    answers = await asyncio.gather(*[shop.client.get(accepted["response_url"]) for _ in range(40)])
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [404] * 39 + [422]


async def test_a_task_whose_work_broke_says_something_went_wrong(tmp_path: Path) -> None:
    nobody = free_port()
    config = tmp_path / "restante.toml"
    config.write_text("[upstream]\nretry = { attempts = 1 }\n")
    gateway = await serving(f"http://127.0.0.1:{nobody}", tmp_path, "--config", str(config)).ready()
    shop = Shop(gateway)
    try:
        accepted = await shop.pay()
        await shop.done(accepted)
        for url in (accepted["status_url"], accepted["response_url"]):
            answer = await shop.client.get(url)
            assert answer.status_code == 502
            assert answer.json() == WRONG
        assert (await shop.client.get(accepted["response_url"])).status_code == 404
    finally:
        await shop.client.aclose()
        await gateway.kill()


async def test_the_only_difference_is_the_section_async(shop: Shop) -> None:
    plain = await shop.client.post("/transactions/payments", json=payment(amount=777))
    accepted = await shop.pay(amount=777)
    await shop.done(accepted)
    result = await shop.client.get(accepted["response_url"])
    assert plain.status_code == result.status_code == 200
    assert plain.json()["transaction"].keys() == result.json()["transaction"].keys()
    assert plain.headers["content-type"] == result.headers["content-type"]


async def test_the_flows_last_step_asks_by_tracking_id(shop: Shop) -> None:
    accepted = await shop.pay(number="4012000000001097")
    await shop.done(accepted)
    transaction = (await shop.client.get(accepted["response_url"])).json()["transaction"]
    assert transaction["status"] == "incomplete"
    found = await shop.client.get("/v2/transactions/tracking_id/your_uniq_number")
    assert [row["uid"] for row in found.json()["transactions"]] == [transaction["uid"]]


async def test_a_client_written_against_the_original_platform_pays(shop: Shop) -> None:
    request = PaymentRequest(
        amount="100",
        currency="USD",
        test=True,
        description="Test transaction",
        tracking_id="bepaid-1",
        credit_card=CreditCardRaw(
            number="4200000000000000",
            verification_value="123",
            holder="John Doe",
            exp_month=5,
            exp_year=2037,
        ),
    )
    async with AsyncBepaidClient(*SHOP, base_gateway_url=shop.url) as client:
        ack = await client.create_payment_async(request, request_id="order-1")
        assert ack.status == "processing"
        again = await client.create_payment_async(request, request_id="order-1")
        assert again == ack
        for _ in range(1000):
            status = await client.get_async_status(ack.status_url)
            if status.status == "completed":
                break
            await asyncio.sleep(0.01)
        assert status.response_url == ack.response_url
        transaction = await client.get_async_result(ack.response_url)
        assert (transaction.status, transaction.tracking_id) == ("successful", "bepaid-1")
        with pytest.raises(ApiError) as unknown:
            await client.get_async_status(f"{shop.url}/async/status/{ack.request_id[:-1]}")
        assert unknown.value.status == 404
    found = await shop.client.get("/v2/transactions/tracking_id/bepaid-1")
    assert len(found.json()["transactions"]) == 1


async def test_a_client_that_asks_too_early_gets_an_error_it_understands(slow_shop: Shop) -> None:
    async with AsyncBepaidClient(*SHOP, base_gateway_url=slow_shop.url) as client:
        accepted = await slow_shop.pay()
        with pytest.raises(ApiError) as early:
            await client.get_async_result(accepted["response_url"])
        assert early.value.status == 425
