"""The traffic: every kind of call, followed to its end, bounded, and not to be discouraged."""

import itertools
import json
import random
import threading
from collections import Counter
from typing import Any

from restante.demo.traffic import Reply, Traffic

from .conftest import TestClock

GATEWAY = "http://gateway.test"


class Gateway:
    """Answers as a gateway in front of both demo APIs would, one poll later than asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, bytes]] = []
        self.polled: Counter[str] = Counter()
        self.cards: dict[str, str] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def call(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Reply:
        with self._lock:
            self.calls.append((method, url, body))
            assert url.startswith(GATEWAY + "/")
            return self._answer(method, url.removeprefix(GATEWAY), body)

    def _answer(self, method: str, path: str, body: bytes) -> Reply:
        if method == "DELETE":
            return Reply(200, {}, {"status": "cancelled"})
        if path.startswith("/process/"):
            return Reply(303, {}, None)
        if method == "POST":
            return self._accept(path, json.loads(body))
        self.polled[path] += 1
        early = self.polled[path] == 1
        if path.startswith("/-/transactions/"):
            return self._events(path.split("/")[3])
        if path.startswith("/seller/"):
            return Reply(200, {}, {"status": "processing" if early else "completed"})
        if early:
            return Reply(425, {"retry-after": "2"}, {"status": "processing"})
        return self._result(self.cards[path.rsplit("/", 1)[1]])

    def _accept(self, path: str, document: dict[str, Any]) -> Reply:
        number = str(next(self._numbers))
        if path == "/channel/v0/tickets":
            return Reply(202, {}, {"links": [{"path": f"/seller/v0/transactions/{number}"}]})
        request = document["request"]
        self.cards[number] = request["credit_card"]["number"] if request["amount"] else "nothing"
        urls = {
            "status_url": f"{GATEWAY}/async/status/{number}",
            "response_url": f"{GATEWAY}/async/result/{number}",
        }
        return Reply(202, {}, urls)

    def _events(self, number: str) -> Reply:
        """Of every other challenged payment: that its customer is asked."""
        data = {"redirect_url": f"{GATEWAY}/process/2"} if int(number) % 2 else {}
        return Reply(200, {}, {"events": [{"data": {}}, {"data": data}]})

    def _result(self, card: str) -> Reply:
        if card == "nothing":
            return Reply(422, {}, {"message": "Amount must be greater than 0", "errors": {}})
        if card.endswith("1097"):
            transaction = {"status": "incomplete", "redirect_url": f"{GATEWAY}/process/1"}
            return Reply(200, {}, {"transaction": transaction})
        return Reply(200, {}, {"transaction": {"status": "successful"}})


def traffic(gateway: Any, clock: TestClock, told: list[str], **options: Any) -> Traffic:
    return Traffic(
        f"{GATEWAY}/",
        shop="361:demo-secret",
        clock=clock,
        chance=random.Random(7),
        call=gateway,
        told=told.append,
        **options,
    )


async def test_every_kind_of_call_is_made_and_followed_to_its_end(clock: TestClock) -> None:
    gateway, told = Gateway(), list[str]()
    await traffic(gateway.call, clock, told).run(500)  # of the rarest kind about ten, in whatever order
    kinds = Counter(told)
    assert sum(kinds.values()) == 500
    assert {
        "payment: successful",
        "authorization: successful",
        "payment: refused (422)",
        "payment: cancelled",
        "3-D Secure: confirm (303)",
        "3-D Secure: refuse (303)",
        "ticket: completed",
    } == kinds.keys()
    assert set(gateway.polled.values()) == {1, 2}  # 1: an event said where the customer is asked
    assert any(url.endswith("/process/2") for _, url, _ in gateway.calls)


async def test_the_pace_is_what_was_asked_for(clock: TestClock) -> None:
    started = clock.now()
    told: list[str] = []
    ticketless = Reply(503, {}, None)
    await traffic(lambda *_: ticketless, clock, told, per_second=5).run(500)
    assert 80 < (clock.now() - started).total_seconds() < 120
    assert set(told) == {"payment: 503", "authorization: 503", "payment: refused (503)", "ticket: 503"}


async def test_no_more_calls_than_allowed_are_under_way(clock: TestClock) -> None:
    lock, under_way, most = threading.Lock(), 0, 0
    full = threading.Barrier(2, timeout=5)

    def call(*_: object) -> Reply:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        full.wait()  # nobody goes on before two are here, so a bound of one would fail
        with lock:
            under_way -= 1
        return Reply(503, {}, None)

    await traffic(call, clock, [], most_at_once=2).run(20)
    assert most == 2


async def test_a_gateway_that_is_away_or_talks_nonsense_ends_nothing(clock: TestClock) -> None:
    def away(*_: object) -> Reply:
        raise ConnectionRefusedError

    told: list[str] = []
    await traffic(away, clock, told).run(5)
    assert told == ["no answer: ConnectionRefusedError"] * 5
    told.clear()
    nonsense = Reply(202, {}, {"links": [7], "response_url": 7, "transaction": []})
    await traffic(lambda *_: nonsense, clock, told).run(20)
    assert len(told) == 20
