"""What the demo APIs tell a gateway that takes reports; without one, nothing is told."""

import json
import random

import httpx
import pytest

from restante.demo.payments import PaymentAPI
from restante.demo.tickets import TicketAPI

from .conftest import CHALLENGED, SHOPS, Receiver, TestClock, order
from .test_challenge import decide
from .test_tickets import ticket

ASKED = {"Restante-Events-Url": "http://gateway.test/events", "Restante-Events-Token": "1.t"}


@pytest.fixture
def api(clock: TestClock, receiver: Receiver) -> PaymentAPI:
    return PaymentAPI(shops=SHOPS, clock=clock, chance=random.Random(7), post=receiver.post, deferring=True)


@pytest.mark.parametrize("decision", ["confirm", "refuse"])
async def test_a_challenged_payment_is_put_off_until_the_customer_has_decided(
    psp: httpx.AsyncClient, api: PaymentAPI, receiver: Receiver, decision: str
) -> None:
    response = await psp.post("/transactions/payments", json=order(CHALLENGED), headers=ASKED)
    assert (response.status_code, response.headers["restante-completion"]) == (202, "deferred")
    transaction = response.json()["transaction"]
    url, headers, body = receiver.calls[0]
    assert (url, headers["Authorization"]) == (ASKED["Restante-Events-Url"], "Bearer 1.t")
    assert json.loads(body)["data"]["redirect_url"] == transaction["redirect_url"]
    await decide(psp, transaction, decision)
    await api.notices.settled()
    told = json.loads(receiver.calls[1][2])
    assert told["status"] == "completed"
    shown = (await psp.get(f"/transactions/{transaction['uid']}")).json()
    assert told["result"] == {"status": 200, "body": shown}


async def test_without_a_place_to_report_to_it_is_incomplete_as_ever(
    psp: httpx.AsyncClient, receiver: Receiver
) -> None:
    response = await psp.post("/transactions/payments", json=order(CHALLENGED))
    assert response.json()["transaction"]["status"] == "incomplete"
    assert "restante-completion" not in response.headers
    assert receiver.calls == []


async def test_an_end_that_found_nobody_is_told_again(
    psp: httpx.AsyncClient, api: PaymentAPI, receiver: Receiver
) -> None:
    response = await psp.post("/transactions/payments", json=order(CHALLENGED), headers=ASKED)
    receiver.statuses = [OSError(), 503]
    await decide(psp, response.json()["transaction"], "confirm")
    await api.notices.settled()
    assert len(receiver.calls) == 4


@pytest.mark.parametrize("asked", [True, False])
async def test_a_moderators_steps_are_told_where_somebody_wants_to_know(
    asked: bool, clock: TestClock, receiver: Receiver
) -> None:
    receiver.statuses = [OSError()]  # nobody there: the work goes on
    api = TicketAPI(clock=clock, moderation_seconds=4, post=receiver.post)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://desk.test") as desk:
        answer = await desk.post("/channel/v0/tickets", json=ticket(), headers=ASKED if asked else {})
    assert answer.status_code == 201
    assert clock.slept == [2.0, 2.0]
    told = [json.loads(body)["data"]["percent"] for _, _, body in receiver.calls]
    assert told == ([0, 50] if asked else [])
