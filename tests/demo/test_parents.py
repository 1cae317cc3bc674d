"""Captures, voids, refunds and chargebacks: who may follow whom, and for how much."""

import httpx
import pytest

from .conftest import DECLINED, OTHER_SHOP, SHOP, TestClock, follow, make, order


async def test_an_authorization_is_captured_in_parts_and_refunded(
    psp: httpx.AsyncClient, clock: TestClock
) -> None:
    authorization = await make(psp, "authorizations", order(amount=1000))
    capture = (await follow(psp, "captures", authorization, 600)).json()["transaction"]
    assert (capture["type"], capture["status"], capture["amount"]) == ("capture", "successful", 600)
    assert (capture["parent_uid"], capture["currency"]) == (authorization["uid"], "USD")
    assert capture["capture"]["message"] == "Capture was approved"
    assert capture["credit_card"] == authorization["credit_card"]
    assert (await follow(psp, "captures", authorization, 401)).status_code == 422
    assert (await follow(psp, "captures", authorization, 400)).status_code == 200
    refund = (await follow(psp, "refunds", capture, 600)).json()["transaction"]
    assert (refund["status"], refund["reason"]) == ("successful", "Client request")


@pytest.mark.parametrize("operation", ["captures", "voids"])
async def test_a_payment_is_not_captured_or_voided(psp: httpx.AsyncClient, operation: str) -> None:
    payment = await make(psp, "payments", order())
    response = await follow(psp, operation, payment, 1999)
    assert response.status_code == 422
    message = f"Transaction can't be a {operation[:-1]} of a payment"
    assert response.json() == {"message": message, "errors": {"base": [message]}}


async def test_an_authorization_is_not_refunded(psp: httpx.AsyncClient) -> None:
    authorization = await make(psp, "authorizations", order())
    assert (await follow(psp, "refunds", authorization, 1)).status_code == 422


async def test_what_failed_has_no_children(psp: httpx.AsyncClient) -> None:
    failed = await make(psp, "payments", order(DECLINED))
    response = await follow(psp, "refunds", failed, 1)
    assert response.json()["errors"]["base"][0].endswith("the parent transaction is failed")


async def test_what_is_voided_is_not_captured(psp: httpx.AsyncClient) -> None:
    authorization = await make(psp, "authorizations", order(amount=1000))
    assert (await follow(psp, "voids", authorization, 1000)).json()["transaction"]["type"] == "void"
    assert (await follow(psp, "captures", authorization, 1)).status_code == 422


async def test_refunds_and_chargebacks_share_what_was_paid(psp: httpx.AsyncClient) -> None:
    payment = await make(psp, "payments", order(amount=1000))
    assert (await follow(psp, "chargebacks", payment, 700)).status_code == 200
    refused = await follow(psp, "refunds", payment, 301)
    assert refused.status_code == 422
    assert "greater than the 300 left" in refused.json()["message"]
    assert (await follow(psp, "refunds", payment, 300)).status_code == 200


async def test_the_same_refund_within_30_seconds_is_a_duplicate(
    psp: httpx.AsyncClient, clock: TestClock
) -> None:
    payment = await make(psp, "payments", order(amount=1000))
    assert (await follow(psp, "refunds", payment, 100)).status_code == 200
    assert (await follow(psp, "refunds", payment, 100)).json()["message"] == "Duplicate transaction"
    clock.advance(30)
    assert (await follow(psp, "refunds", payment, 100)).status_code == 200


async def test_a_refund_says_why(psp: httpx.AsyncClient) -> None:
    payment = await make(psp, "payments", order())
    response = await follow(psp, "refunds", payment, 100, reason="")
    assert response.json()["errors"] == {"reason": ["can't be blank"]}


async def test_a_parent_of_another_shop_or_of_nobody_is_not_found(psp: httpx.AsyncClient) -> None:
    payment = await make(psp, "payments", order())
    for parent_uid, auth in ((payment["uid"], OTHER_SHOP), ("1-1", SHOP), (7, SHOP)):
        request = {"parent_uid": parent_uid, "amount": 1, "reason": "Client request"}
        body = {"request": request}
        response = await psp.post("/transactions/refunds", json=body, auth=auth)
        assert (response.status_code, response.json()["errors"]) == (422, {"parent_uid": ["is not found"]})


async def test_a_child_without_a_parent_is_refused(psp: httpx.AsyncClient) -> None:
    response = await psp.post("/transactions/captures", json={"request": {"amount": 1}})
    assert response.json()["errors"] == {"parent_uid": ["can't be blank"]}
