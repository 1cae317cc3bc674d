"""Notifications to the merchant: the final transaction, with bounded patience."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from restante.demo import notices
from restante.demo.notices import PAUSES_SECONDS, Notices
from restante.demo.payments import PaymentAPI

from .conftest import DECLINED, Receiver, TestClock, make, order

HOOK = "http://shop.test/hook"


@pytest.mark.parametrize("card", ["4200000000000000", DECLINED])
async def test_the_merchant_hears_what_the_caller_heard(
    psp: httpx.AsyncClient, api: PaymentAPI, receiver: Receiver, card: str
) -> None:
    transaction = await make(psp, "payments", order(card, notification_url=HOOK))
    await api.notices.settled()
    [(url, headers, body)] = receiver.calls
    assert url == HOOK
    assert json.loads(body) == {"transaction": transaction}
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"361:demo-secret").decode()
    assert headers["Content-Type"] == "application/json"


async def test_nobody_is_told_without_an_address_or_of_what_was_refused(
    psp: httpx.AsyncClient, api: PaymentAPI, receiver: Receiver
) -> None:
    await make(psp, "payments", order())
    await psp.post("/transactions/payments", json=order(amount=0, notification_url=HOOK))
    await api.notices.settled()
    assert receiver.calls == []


@pytest.mark.parametrize("trouble", [500, 301, 404, ConnectionRefusedError()])
async def test_a_notification_that_is_not_taken_is_tried_again(
    psp: httpx.AsyncClient,
    api: PaymentAPI,
    receiver: Receiver,
    clock: TestClock,
    trouble: int | OSError,
) -> None:
    receiver.statuses = [trouble, trouble, 204]
    await make(psp, "payments", order(notification_url=HOOK))
    await api.notices.settled()
    assert len(receiver.calls) == 3
    assert clock.slept == list(PAUSES_SECONDS[:2])


async def test_a_dead_receiver_is_given_up(
    psp: httpx.AsyncClient, api: PaymentAPI, receiver: Receiver, clock: TestClock
) -> None:
    receiver.statuses = [500] * 10
    await make(psp, "payments", order(notification_url=HOOK))
    await api.notices.settled()
    assert len(receiver.calls) == len(PAUSES_SECONDS) + 1


async def test_a_dead_receiver_holds_no_answer_up(
    psp: httpx.AsyncClient, api: PaymentAPI, receiver: Receiver, clock: TestClock
) -> None:
    receiver.statuses = [500]
    clock.hold()
    for amount in (1, 2, 3):
        await make(psp, "payments", order(amount=amount, notification_url=HOOK))
    clock.release()
    await api.notices.settled()
    assert len(receiver.calls) == 4


async def test_too_many_notifications_at_once_are_dropped(
    clock: TestClock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "MOST_AT_ONCE", 2)
    under_way = Notices(clock=clock, post=receiver.post)
    for _ in range(3):
        under_way.send(HOOK, "Basic x", b"{}")
    await under_way.settled()
    assert len(receiver.calls) == 2


def test_a_notification_is_one_plain_post_and_follows_no_redirect() -> None:
    heard: list[tuple[str, str, bytes]] = []

    class Merchant(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.path, self.headers["Authorization"], body))
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Merchant) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/hook?shop=1"
        status = notices.post(url, {"Authorization": "Basic x"}, b"{}")
        server.shutdown()
    assert (status, heard) == (302, [("/hook?shop=1", "Basic x", b"{}")])
