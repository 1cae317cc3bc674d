"""The payment API: who may call, what is answered, what is refused, what is looked up."""

import asyncio
import re
from typing import Any

import httpx
import pytest

from restante.demo.payments import PaymentAPI

from .conftest import APPROVED, DECLINED, OTHER_SHOP, TestClock, make, order

OPERATIONS = ("payments", "authorizations", "credits", "payouts", "checkups", "tokenizations")


@pytest.mark.parametrize("auth", [("361", "wrong"), ("999", "demo-secret"), ("", ""), ("361", "")])
async def test_a_call_without_a_shops_credentials_is_refused(
    psp: httpx.AsyncClient, auth: tuple[str, str]
) -> None:
    response = await psp.post("/transactions/payments", json=order(), auth=auth)
    assert response.status_code == 401
    assert response.json() == {"message": "Unauthorized"}
    assert response.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic /w==", "Bearer MzYxOmRlbW8tc2VjcmV0"])
async def test_broken_credentials_are_refused(psp: httpx.AsyncClient, header: str) -> None:
    request = psp.build_request("GET", "/transactions/1", headers={"Authorization": header})
    assert (await psp.send(request, auth=None)).status_code == 401


async def test_a_payment_is_answered_in_the_shape_of_the_platform(psp: httpx.AsyncClient) -> None:
    transaction = await make(psp, "payments", order())
    assert re.fullmatch(r"[0-9]{8}-[0-9a-f]{10}", transaction["uid"])
    expected = {
        "status": "successful",
        "amount": 1999,
        "currency": "USD",
        "description": "An order",
        "type": "payment",
        "payment_method_type": "credit_card",
        "tracking_id": "order-1",
        "message": "Successfully processed",
        "test": True,
        "created_at": "2026-05-04T03:02:01.692Z",
        "paid_at": "2026-05-04T03:02:01.692Z",
        "code": "S.0000",
        "language": "en",
        "customer": {"ip": "127.0.0.1", "email": "jane@example.com"},
        "additional_data": {},
    }
    assert {name: transaction[name] for name in expected} == expected
    card = transaction["credit_card"]
    assert (card["first_1"], card["last_4"], card["bin"], card["brand"]) == ("4", "0000", "420000", "visa")
    assert (card["exp_month"], card["exp_year"], card["holder"]) == (5, 2027, "Jane Doe")
    assert len(card["stamp"]) == 64
    assert transaction["payment"]["status"] == "successful"
    assert transaction["payment"]["gateway_id"] == 317
    assert {"auth_code", "bank_code", "rrn", "ref_id", "message"} <= transaction["payment"].keys()


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_operation_with_a_card_works(psp: httpx.AsyncClient, operation: str) -> None:
    transaction = await make(psp, operation, order())
    assert (transaction["type"], transaction["status"]) == (operation[:-1], "successful")


async def test_no_answer_and_no_look_up_tells_the_card(psp: httpx.AsyncClient) -> None:
    response = await psp.post("/transactions/payments", json=order())
    found = await psp.get(f"/transactions/{response.json()['transaction']['uid']}")
    assert APPROVED not in response.text + found.text
    assert "verification_value" not in response.text + found.text


async def test_a_declined_card_is_an_answer_not_an_error(psp: httpx.AsyncClient) -> None:
    transaction = await make(psp, "payments", order(DECLINED))
    assert (transaction["status"], transaction["code"]) == ("failed", "F.0002")
    assert transaction["paid_at"] is None
    assert transaction["payment"]["status"] == "failed"


async def test_a_token_stands_for_its_card(psp: httpx.AsyncClient) -> None:
    tokenized = await make(psp, "tokenizations", order(DECLINED, amount=0))
    assert tokenized["status"] == "successful"
    card = {"token": tokenized["credit_card"]["token"]}
    transaction = await make(psp, "payments", order(credit_card=card))
    assert (transaction["credit_card"]["last_4"], transaction["status"]) == ("0019", "failed")


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"amount": 0}, {"amount": ["must be greater than 0"]}),
        ({"amount": None}, {"amount": ["can't be blank"]}),
        ({"amount": "ten"}, {"amount": ["is not a number"]}),
        ({"amount": True}, {"amount": ["is not a number"]}),
        ({"amount": 1.5}, {"amount": ["is not a number"]}),
        ({"amount": 10**400}, {"amount": ["is not a number"]}),
        ({"currency": "dollars"}, {"currency": ["is unknown ISO 4217 Alpha-3 code"]}),
        ({"description": " "}, {"description": ["can't be blank"]}),
        ({"tracking_id": "x" * 256}, {"tracking_id": ["is too long (maximum is 255 characters)"]}),
        ({"tracking_id": 7}, {"tracking_id": ["is not a string"]}),
        ({"billing_address": "Denver"}, {"billing_address": ["is invalid"]}),
        (
            {"billing_address": {"last_name": "Doe"}},
            {"billing_address": {"first_name": ["can't be blank"]}},
        ),
        ({"credit_card": None}, {"credit_card": ["can't be blank"]}),
        ({"credit_card": {"holder": "J"}}, {"credit_card": {"number": ["can't be blank"]}}),
        (
            {"credit_card": {"number": "4200000000000001"}},
            {"credit_card": {"number": ["is not a card number"]}},
        ),
        (
            {"credit_card": {"number": APPROVED, "exp_month": "13"}},
            {"credit_card": {"exp_month": ["is invalid"]}},
        ),
        ({"credit_card": {"token": "unknown"}}, {"credit_card": {"token": ["is not found"]}}),
        ({"return_url": "javascript:alert(1)"}, {"return_url": ["is not a valid URL"]}),
        ({"return_url": "http://shop.test/\r\nX: y"}, {"return_url": ["is not a valid URL"]}),
        ({"notification_url": "file:///etc/passwd"}, {"notification_url": ["is not a valid URL"]}),
    ],
)
async def test_a_bad_field_is_named(
    psp: httpx.AsyncClient, api: PaymentAPI, fields: dict[str, Any], errors: dict[str, Any]
) -> None:
    response = await psp.post("/transactions/payments", json=order(**fields))
    assert response.status_code == 422
    assert response.json()["errors"] == errors
    assert list(response.json()) == ["message", "errors"]
    assert api.charges("order-1") == 0


async def test_the_message_of_an_error_says_all_of_it(psp: httpx.AsyncClient) -> None:
    body = order(amount=0, billing_address={"last_name": "Doe"})
    message = (await psp.post("/transactions/payments", json=body)).json()["message"]
    assert message == "Amount must be greater than 0. First name can't be blank"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 60_000])
async def test_what_is_not_json_is_a_400(psp: httpx.AsyncClient, content: bytes) -> None:
    response = await psp.post("/transactions/payments", content=content)
    assert response.status_code == 400
    assert response.json()["errors"] == {}


@pytest.mark.parametrize("document", [[], 1, {}, {"request": {}}, {"request": []}, {"amount": 1}])
async def test_a_body_without_a_request_is_refused(psp: httpx.AsyncClient, document: object) -> None:
    response = await psp.post("/transactions/payments", json=document)
    assert (response.status_code, response.json()["errors"]) == (422, {"request": ["can't be blank"]})


async def test_version_3_adds_codes_and_friendly_messages(psp: httpx.AsyncClient) -> None:
    version = {"X-Api-Version": "3"}
    good = await psp.post("/transactions/payments", json=order(), headers=version)
    assert good.json()["transaction"]["friendly_message"]
    bad = await psp.post("/transactions/payments", json=order(amount=0), headers=version)
    assert list(bad.json()) == ["code", "friendly_message", "message", "errors"]
    assert bad.json()["code"] == "F.1000"


async def test_an_amount_may_be_text(psp: httpx.AsyncClient) -> None:
    assert (await make(psp, "payments", order(amount="100")))["amount"] == 100


async def test_the_same_money_from_the_same_card_within_30_seconds_is_a_duplicate(
    psp: httpx.AsyncClient, api: PaymentAPI, clock: TestClock
) -> None:
    await make(psp, "payments", order())
    clock.advance(29.9)
    again = await psp.post("/transactions/payments", json=order(), headers={"X-Api-Version": "3"})
    assert (again.status_code, again.json()["code"]) == (422, "F.0108")
    assert again.json()["errors"] == {"base": ["Duplicate transaction"]}
    assert api.charges("order-1") == 1
    await make(psp, "payments", order(amount=2000))
    clock.advance(0.1)
    await make(psp, "payments", order())
    assert api.charges("order-1") == 3


async def test_without_duplicate_check_the_card_is_charged_again(
    psp: httpx.AsyncClient, api: PaymentAPI
) -> None:
    for _ in range(2):
        await make(psp, "payments", order(duplicate_check=False))
    assert api.charges("order-1") == 2


async def test_a_failed_payment_may_be_tried_again_at_once(psp: httpx.AsyncClient) -> None:
    for _ in range(2):
        assert (await make(psp, "payments", order(DECLINED)))["status"] == "failed"


async def test_of_two_twins_at_once_one_is_charged(
    psp: httpx.AsyncClient, api: PaymentAPI, clock: TestClock
) -> None:
    slow = {"Demo-Bank-Delay": "2"}
    clock.hold()
    first = asyncio.create_task(psp.post("/transactions/payments", json=order(), headers=slow))
    while not clock.slept:
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        second = await psp.post("/transactions/payments", json=order(), headers=slow)
    looked_up = (await psp.get("/v2/transactions/tracking_id/order-1")).json()["transactions"]
    clock.release()
    assert second.status_code == 422
    assert [transaction["status"] for transaction in looked_up] == ["incomplete"]
    assert (await first).json()["transaction"]["status"] == "successful"
    assert api.charges("order-1") == 1


async def test_the_bank_takes_its_time(psp: httpx.AsyncClient, clock: TestClock) -> None:
    headers = {"Demo-Bank-Delay": "2.5"}
    response = await psp.post("/transactions/payments", json=order(), headers=headers)
    assert clock.slept == [2.5]
    transaction = response.json()["transaction"]
    assert transaction["created_at"] == "2026-05-04T03:02:01.692Z"
    assert transaction["updated_at"] == "2026-05-04T03:02:04.192Z"


@pytest.mark.parametrize("value", ["soon", "-1", "301", "nan", ""])
async def test_an_impossible_delay_is_refused(psp: httpx.AsyncClient, api: PaymentAPI, value: str) -> None:
    response = await psp.post("/transactions/payments", json=order(), headers={"Demo-Bank-Delay": value})
    assert response.status_code == 400
    assert "Demo-Bank-Delay" in response.json()["message"]
    assert api.charges("order-1") == 0


async def test_a_transaction_is_found_by_uid_and_by_tracking_id(psp: httpx.AsyncClient) -> None:
    made = await make(psp, "payments", order(tracking_id="a/b c;second"))
    assert (await psp.get(f"/transactions/{made['uid']}")).json() == {"transaction": made}
    for tracking_id in ("a%2Fb%20c%3Bsecond", "second", "a/b%20c"):
        found = (await psp.get(f"/v2/transactions/tracking_id/{tracking_id}")).json()
        assert found["transactions"] == [made]
        assert (found["uid"], found["transaction_status"]) == (made["uid"], "successful")


async def test_a_tracking_id_gives_the_ten_newest(psp: httpx.AsyncClient) -> None:
    uids = [(await make(psp, "payments", order(amount=100 + n)))["uid"] for n in range(12)]
    found = (await psp.get("/v2/transactions/tracking_id/order-1")).json()["transactions"]
    assert [transaction["uid"] for transaction in found] == uids[:1:-1]


async def test_another_shops_transaction_is_an_unknown_one(psp: httpx.AsyncClient) -> None:
    made = await make(psp, "payments", order())
    unknown = await psp.get("/transactions/00000000-0000000000", auth=OTHER_SHOP)
    theirs = await psp.get(f"/transactions/{made['uid']}", auth=OTHER_SHOP)
    assert theirs.status_code == unknown.status_code == 404
    assert theirs.json() == unknown.json() == {"message": "Record not found", "errors": {}}
    tracked = await psp.get("/v2/transactions/tracking_id/order-1", auth=OTHER_SHOP)
    assert (tracked.status_code, tracked.json()) == (200, {"transactions": []})


async def test_every_refusal_is_a_json_object(psp: httpx.AsyncClient) -> None:
    nowhere = await psp.get("/nowhere")
    wrong = await psp.get("/transactions/payments/1")
    method = await psp.delete("/transactions/payments")
    large = await psp.post("/transactions/payments", content=b"x" * 70_000)
    codes = [response.status_code for response in (nowhere, wrong, method, large)]
    assert codes == [404, 404, 405, 413]
    assert method.headers["allow"] == "GET, POST"
    assert all(response.json()["message"] for response in (nowhere, wrong, method, large))
