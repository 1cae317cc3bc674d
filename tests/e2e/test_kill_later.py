"""kill -9 where the end comes later: an unknown outcome that is asked for, work that the upstream defers.

The upstream is the demo payment API, which counts charges.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from restante.demo.payments import PaymentAPI

from .story import Story, kills, messages

SHOP = ("361", "demo-secret")
CHALLENGED = "4012000000001097"

ROUTE = """
[[routes]]
match = "POST /transactions/*"
interrupted = "reconcile"
tracking_id = "/request/tracking_id"
lookup = "GET /v2/transactions/tracking_id/{tracking_id}"
found = "/transactions/0/uid"
answer = "/transactions/0"
deferred = true
"""

# Where the process dies while the payment is made, and how often the card was charged when all is over.
SENT = {
    "mark.committed": {0},
    "attempt.sending": {0},
    "attempt.sent": {0, 1},
    "attempt.answer_begun": {1},
    "attempt.answered": {1},
    "end.before_commit": {1},
}

# Where the next process dies: before it is to ask, on its way to the look-up, while that is made, and with
# what it told in hand.
LOOKING = (
    "question.before_commit",
    "question.committed",
    "claim.taken",
    "lookup.asking",
    "lookup.sent",
    "lookup.answered",
    "end.before_commit",
    "end.committed",
)


@asynccontextmanager
async def a_bank(**options: Any) -> AsyncIterator[tuple[PaymentAPI, str]]:
    """The demo payment API on a port of its own."""
    api = PaymentAPI(shops=dict([SHOP]), **options)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(api, log_config=None, lifespan="off"))
    server.install_signal_handlers = lambda: None
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield api, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await serving


def payment(card: str = "4200000000000000") -> dict[str, Any]:
    card_fields = {
        "number": card,
        "verification_value": "123",
        "holder": "Jane Doe",
        "exp_month": "05",
        "exp_year": "2049",
    }
    request = {
        "amount": 1999,
        "currency": "USD",
        "description": "An order",
        "tracking_id": "order-1",
        "credit_card": card_fields,
    }
    return {"request": request}


def a_story(folder: Path, store: str, upstream: str, timeout: str = "500ms") -> Story:
    return Story(folder, store, upstream, timeout=timeout, more=ROUTE, auth=SHOP)


async def pay(story: Story, card: str = "4200000000000000") -> None:
    """Whether or not it is answered."""
    await story.call("POST", "/async/transactions/payments", payment(card))


async def settled_by_look_up(story: Story, bank: PaymentAPI, url: str, charges: set[int]) -> None:
    """Charged as often as it may be, and answered right."""
    async with story.running():
        found = await story.ended()
        charged = bank.charges("order-1")
        assert charged in charges
        result = await story.result(found["id"])
        if not charged:
            assert (found["status"], found["outcome"]) == ("failed", "interrupted")
            assert result.status_code == 502
            return
        assert (found["status"], found["outcome"], found["attempt"]) == ("completed", "answered", 1)
        assert messages(found).count("Settled by look-up") == 1
        looked_up = await story.client.get(f"{url}/v2/transactions/tracking_id/order-1")
        assert result.json() == looked_up.json()["transactions"][0]
        assert (result.status_code, result.json()["status"]) == (200, "successful")


@kills(SENT, quick=["attempt.sent"])
async def test_an_interrupted_payment_is_settled_by_look_up_charged_once_and_answered_right(
    point: str, store: str, tmp_path: Path
) -> None:
    async with a_bank() as (bank, url), a_story(tmp_path, store, url) as story:
        async with story.dying(point):
            await pay(story)
        await settled_by_look_up(story, bank, url, SENT[point])


@pytest.mark.parametrize("sent", ["mark.committed", "attempt.answer_begun"])
@kills(LOOKING, quick=["question.committed"])
async def test_a_look_up_that_is_interrupted_is_made_again(
    point: str, sent: str, store: str, tmp_path: Path
) -> None:
    async with a_bank() as (bank, url), a_story(tmp_path, store, url) as story:
        async with story.dying(sent):
            await pay(story)
        await story.dies(point)
        await settled_by_look_up(story, bank, url, SENT[sent])


def redirect_url(found: dict[str, Any]) -> str | None:
    urls = [event["data"].get("redirect_url") for event in found["events"]]
    return next((url for url in urls if url), None)


async def decide(story: Story, found: dict[str, Any], decision: str) -> None:
    """The customer does."""
    await story.client.post(redirect_url(found) or "", data={"decision": decision})


async def test_a_challenge_ends_the_transaction_by_report(store: str, tmp_path: Path) -> None:
    async with (
        a_bank(deferring=True) as (bank, url),
        a_story(tmp_path, store, url, "60s") as story,
        story.running(),
    ):
        await pay(story, CHALLENGED)
        found = await story.until(lambda found: redirect_url(found) is not None)
        assert found["status"] == "processing"
        assert (await story.result(found["id"])).status_code == 425
        await decide(story, found, "confirm")
        done = await story.ended()
        assert (done["status"], bank.charges("order-1")) == ("completed", 1)
        result = (await story.result(found["id"])).json()
        assert result["transaction"]["status"] == "successful"


@kills(["deferral.before_commit", "deferral.committed"])
async def test_deferred_work_goes_on_waiting_after_a_kill_and_is_ended_by_its_report(
    point: str, store: str, tmp_path: Path
) -> None:
    """Also where the deferral was not written: the look-up is due in a minute, and the customer is faster."""
    async with a_bank(deferring=True) as (bank, url), a_story(tmp_path, store, url, "60s") as story:
        async with story.dying(point):
            await pay(story, CHALLENGED)
        async with story.running():
            found = await story.one()
            assert found["status"] == "processing"
            await decide(story, found, "confirm")
            done = await story.ended()
            assert (done["status"], done["attempt"], bank.charges("order-1")) == ("completed", 1, 1)
            result = (await story.result(found["id"])).json()
            assert result["transaction"]["status"] == "successful"


async def test_a_report_that_found_nobody_is_told_again_and_counts(store: str, tmp_path: Path) -> None:
    async with a_bank(deferring=True) as (bank, url), a_story(tmp_path, store, url, "60s") as story:
        async with story.running():
            await pay(story, CHALLENGED)
            found = await story.until(lambda found: found["events"][-1]["data"].get("deferred") is True)
        await decide(story, found, "refuse")
        async with story.running():
            done = await story.ended()
            assert (done["status"], bank.charges("order-1")) == ("completed", 0)
            result = (await story.result(found["id"])).json()
            assert result["transaction"]["status"] == "failed"
