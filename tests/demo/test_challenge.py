"""3-D Secure with a question: the transaction is incomplete until the customer has decided."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from restante.demo.payments import PaymentAPI

from .conftest import CHALLENGED, Receiver, TestClock, make, order


async def decide(psp: httpx.AsyncClient, transaction: dict[str, Any], decision: str) -> httpx.Response:
    """The customer's browser: no shop's credentials."""
    request = psp.build_request("POST", transaction["redirect_url"], data={"decision": decision})
    return await psp.send(request, auth=None)


async def look(psp: httpx.AsyncClient, transaction: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await psp.get(f"/transactions/{transaction['uid']}")).json()["transaction"]
    return found


async def test_a_challenged_payment_is_incomplete_and_says_where_to_go(
    psp: httpx.AsyncClient, api: PaymentAPI
) -> None:
    transaction = await make(psp, "payments", order(CHALLENGED))
    assert (transaction["status"], transaction["paid_at"]) == ("incomplete", None)
    assert transaction["redirect_url"] == f"http://psp.test/process/{transaction['uid']}"
    verification = transaction["three_d_secure_verification"]
    assert (verification["status"], verification["message"]) == ("incomplete", "Authentication Available")
    assert "payment" not in transaction
    assert api.charges("order-1") == 0


async def test_the_page_asks_the_customer_and_escapes_what_it_was_given(psp: httpx.AsyncClient) -> None:
    transaction = await make(psp, "payments", order(CHALLENGED, description="<b>{0}</b>"))
    page = await psp.get(transaction["redirect_url"], auth=None)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;b&gt;{0}&lt;/b&gt;" in page.text
    assert "19.99 USD" in page.text
    assert 'value="confirm"' in page.text
    assert 'value="refuse"' in page.text


@pytest.mark.parametrize(
    ("decision", "status", "code", "pa_status", "charges"),
    [("confirm", "successful", "S.0000", "Y", 1), ("refuse", "failed", "F.0001", "N", 0)],
)
async def test_the_customers_decision_ends_the_transaction(
    psp: httpx.AsyncClient,
    api: PaymentAPI,
    decision: str,
    status: str,
    code: str,
    pa_status: str,
    charges: int,
) -> None:
    transaction = await make(psp, "payments", order(CHALLENGED))
    page = await decide(psp, transaction, decision)
    assert (page.status_code, status in page.text) == (200, True)
    found = await look(psp, transaction)
    assert (found["status"], found["code"]) == (status, code)
    assert found["three_d_secure_verification"]["pa_status"] == pa_status
    assert "redirect_url" not in found
    assert api.charges("order-1") == charges


async def test_the_customer_is_sent_back_to_the_shop(psp: httpx.AsyncClient) -> None:
    transaction = await make(psp, "payments", order(CHALLENGED, return_url="https://shop.test/back?a=1"))
    page = await decide(psp, transaction, "confirm")
    assert (page.status_code, page.headers["location"]) == (303, "https://shop.test/back?a=1")


async def test_a_second_decision_changes_nothing(psp: httpx.AsyncClient, api: PaymentAPI) -> None:
    transaction = await make(psp, "payments", order(CHALLENGED))
    await decide(psp, transaction, "confirm")
    page = await decide(psp, transaction, "refuse")
    assert "successful" in page.text
    assert (await look(psp, transaction))["status"] == "successful"
    assert api.charges("order-1") == 1


async def test_two_clicks_at_once_ask_the_bank_once(
    psp: httpx.AsyncClient, api: PaymentAPI, receiver: Receiver, clock: TestClock
) -> None:
    transaction = await make(psp, "payments", order(CHALLENGED, notification_url="http://shop.test/hook"))
    url, form, slow = transaction["redirect_url"], {"decision": "confirm"}, {"Demo-Bank-Delay": "1"}
    clock.hold()
    first = asyncio.create_task(psp.post(url, data=form, headers=slow))
    while not clock.slept:
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        second = await psp.post(url, data=form, headers=slow)
    clock.release()
    assert "incomplete" in second.text
    assert "successful" in (await first).text
    await api.notices.settled()
    assert (len(clock.slept), len(receiver.calls), api.charges("order-1")) == (1, 1, 1)


async def test_the_merchant_is_told_once_the_customer_has_decided(
    psp: httpx.AsyncClient, api: PaymentAPI, receiver: Receiver
) -> None:
    transaction = await make(psp, "payments", order(CHALLENGED, notification_url="http://shop.test/hook"))
    await api.notices.settled()
    assert receiver.calls == []
    await decide(psp, transaction, "confirm")
    await api.notices.settled()
    told = json.loads(receiver.calls[0][2])["transaction"]
    assert (told["uid"], told["status"]) == (transaction["uid"], "successful")


@pytest.mark.parametrize("form", [{}, {"decision": "perhaps"}])
async def test_no_decision_asks_again(psp: httpx.AsyncClient, form: dict[str, str]) -> None:
    transaction = await make(psp, "payments", order(CHALLENGED))
    page = await psp.post(transaction["redirect_url"], data=form)
    assert 'value="confirm"' in page.text
    assert (await look(psp, transaction))["status"] == "incomplete"


async def test_an_unknown_payment_has_a_page_that_says_so(psp: httpx.AsyncClient) -> None:
    for response in (
        await psp.get("/process/1-1"),
        await psp.post("/process/1-1", data={"decision": "confirm"}),
    ):
        assert (response.status_code, "no such payment" in response.text) == (404, True)


async def test_a_public_url_is_where_customers_are_sent(clock: TestClock) -> None:
    api = PaymentAPI(shops={"1": "k"}, clock=clock, public_url="https://pay.test")
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://inside.test", auth=("1", "k")) as psp:
        transaction = await make(psp, "payments", order(CHALLENGED))
    assert transaction["redirect_url"].startswith("https://pay.test/process/")
