"""kill -9 where the end comes later: an unknown outcome that is asked for, work that the upstream defers.

The upstream is the demo payment API, which counts charges.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from restante.demo.payments import PaymentAPI

from ..matrix import rows
from .harness import Process, caller, free_port, settled

VICTIM = Path(__file__).parent / "victim.py"
SHOP = ("361", "demo-secret")
CHALLENGED = "4012000000001097"
PATIENCE_SECONDS = 20.0

# Where the process dies while the payment is made, and how often the card was charged when all is over.
SENT = {
    "after the mark's commit": 0,
    "after the request was sent": 1,
    "with the answer in hand": 1,
}

# Where the next process dies: on its way to the look-up, while it is made, and with what it told in hand.
QUESTION = ("before the question's commit", "after the question's commit")
LOOKING = (
    "before connecting",
    "with the connection in hand",
    "after the request was sent",
    "with the answer in hand",
    "after the end's commit",
)

# Where the process dies around the deferring answer, and what the transaction then waits for.
DEFERRED = {
    "before the deferral's commit": "a look-up",
    "after the deferral's commit": "a report",
}


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


def config(folder: Path, upstream: str, port: int, timeout: str) -> Path:
    path = folder / "restante.toml"
    path.write_text(
        f"""
        listen = "127.0.0.1:{port}"
        store = "sqlite:///{folder}/restante.db"
        events_url = "http://127.0.0.1:{port}"
        [upstream]
        url = "{upstream}"
        timeout = "{timeout}"
        retry = {{ attempts = 3, backoff = "50ms" }}
        [[routes]]
        match = "POST /transactions/*"
        interrupted = "reconcile"
        tracking_id = "/request/tracking_id"
        lookup = "GET /v2/transactions/tracking_id/{{tracking_id}}"
        found = "/transactions/0/uid"
        answer = "/transactions/0"
        deferred = true
        """
    )
    return path


def payment(card: str = "4200000000000000") -> bytes:
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
    return json.dumps({"request": request}).encode()


class Story:
    """One payment, told over several processes on the same store and the same port."""

    def __init__(self, folder: Path, upstream: str, timeout: str) -> None:
        self.port = free_port()
        self.folder = folder
        self.config = config(folder, upstream, self.port, timeout)
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = caller(auth=SHOP)

    def start(self, step: str) -> Process:
        return Process(str(VICTIM), step, str(self.config), port=self.port, cwd=self.folder)

    async def pay(self, card: str = "4200000000000000") -> str:
        """Submits; the id, even if the process dies before it answers."""
        with contextlib.suppress(httpx.TransportError):
            answer = await self.client.post(f"{self.url}/async/transactions/payments", content=payment(card))
            id: str = answer.json()["request_id"]
            return id
        return ""

    async def one(self) -> dict[str, Any]:
        (found,) = (await self.client.get(f"{self.url}/-/transactions")).json()["transactions"]
        return (await self.client.get(f"{self.url}/-/transactions/{found['id']}")).json()

    async def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not fits(found := await self.one()):
                await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def a_story(folder: Path, upstream: str, timeout: str = "500ms") -> AsyncIterator[Story]:
    story = Story(folder, upstream, timeout)
    async with story.client:
        yield story


@pytest.mark.parametrize(
    ("step", "then"),
    rows(
        [
            *((step, None) for step in SENT),
            # For the next process it is the same whether the answer was in hand or still to come.
            *((step, then) for step in list(SENT)[:2] for then in (*QUESTION, *LOOKING)),
        ],
        quick=lambda row: row[1] in (None, "after the question's commit"),
    ),
)
async def test_an_interrupted_payment_is_settled_by_look_up_charged_once_and_answered_right(
    step: str, then: str | None, tmp_path: Path
) -> None:
    async with a_bank() as (bank, url), a_story(tmp_path, url) as story:
        victim = await story.start(step).ready()
        await story.pay()
        assert await victim.ended() == -9
        if then is not None:
            assert await story.start(then).ended() == -9
        last = await story.start("never").ready()
        try:
            found = await settled(story.client, story.url, (await story.one())["id"])
            assert bank.charges("order-1") == SENT[step]
            result = await story.client.get(f"{story.url}/async/result/{found['id']}")
            if SENT[step]:
                assert (found["status"], found["outcome"], found["attempt"]) == ("completed", "answered", 1)
                assert "Settled by look-up" in [event["message"] for event in found["events"]]
                looked_up = await story.client.get(f"{url}/v2/transactions/tracking_id/order-1")
                assert result.json() == looked_up.json()["transactions"][0]
                assert (result.status_code, result.json()["status"]) == (200, "successful")
            else:
                assert (found["status"], found["outcome"]) == ("failed", "interrupted")
                assert result.status_code == 502
        finally:
            await last.kill()


def redirect_url(found: dict[str, Any]) -> str | None:
    urls = [event["data"].get("redirect_url") for event in found["events"]]
    return next((url for url in urls if url), None)


async def test_a_challenge_ends_the_transaction_by_report(tmp_path: Path) -> None:
    async with a_bank(deferring=True) as (bank, url), a_story(tmp_path, url, "60s") as story:
        gateway = await story.start("never").ready()
        try:
            id = await story.pay(CHALLENGED)
            found = await story.until(lambda found: redirect_url(found) is not None)
            assert found["status"] == "processing"
            assert (await story.client.get(f"{story.url}/async/result/{id}")).status_code == 425
            await story.client.post(redirect_url(found) or "", data={"decision": "confirm"})
            done = await settled(story.client, story.url, id)
            assert (done["status"], bank.charges("order-1")) == ("completed", 1)
            result = (await story.client.get(f"{story.url}/async/result/{id}")).json()
            assert result["transaction"]["status"] == "successful"
        finally:
            await gateway.kill()


async def test_deferred_work_goes_on_waiting_after_a_kill_and_is_ended_by_its_report(tmp_path: Path) -> None:
    async with a_bank(deferring=True) as (bank, url), a_story(tmp_path, url, "60s") as story:
        victim = await story.start("after the deferral's commit").ready()
        await story.pay(CHALLENGED)
        assert await victim.ended() == -9
        gateway = await story.start("never").ready()
        try:
            found = await story.one()
            assert found["status"] == "processing"
            await story.client.post(redirect_url(found) or "", data={"decision": "confirm"})
            done = await settled(story.client, story.url, found["id"])
            assert (done["status"], done["attempt"], bank.charges("order-1")) == ("completed", 1, 1)
            result = (await story.client.get(f"{story.url}/async/result/{found['id']}")).json()
            assert result["transaction"]["status"] == "successful"
        finally:
            await gateway.kill()


async def test_a_report_counts_after_a_kill_before_the_deferral_was_written(tmp_path: Path) -> None:
    async with a_bank(deferring=True) as (bank, url), a_story(tmp_path, url, "60s") as story:
        victim = await story.start("before the deferral's commit").ready()
        await story.pay(CHALLENGED)
        assert await victim.ended() == -9
        gateway = await story.start("never").ready()
        try:
            found = await story.one()  # the look-up is due in a minute; the customer is faster
            await story.client.post(redirect_url(found) or "", data={"decision": "confirm"})
            done = await settled(story.client, story.url, found["id"])
            assert (done["status"], bank.charges("order-1")) == ("completed", 1)
            result = (await story.client.get(f"{story.url}/async/result/{found['id']}")).json()
            assert result["transaction"]["status"] == "successful"
        finally:
            await gateway.kill()


async def test_a_report_that_found_nobody_is_told_again_and_counts(tmp_path: Path) -> None:
    async with a_bank(deferring=True) as (bank, url), a_story(tmp_path, url, "60s") as story:
        victim = await story.start("never").ready()
        await story.pay(CHALLENGED)
        found = await story.until(lambda found: found["events"][-1]["data"].get("deferred") is True)
        await victim.kill()
        await story.client.post(redirect_url(found) or "", data={"decision": "refuse"})
        gateway = await story.start("never").ready()
        try:
            done = await settled(story.client, story.url, found["id"])
            assert (done["status"], bank.charges("order-1")) == ("completed", 0)
            result = (await story.client.get(f"{story.url}/async/result/{found['id']}")).json()
            assert result["transaction"]["status"] == "failed"
        finally:
            await gateway.kill()
