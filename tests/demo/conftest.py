"""The demo APIs in process: no port, no waiting. Time is the test's, chance is seeded."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from restante.demo.payments import PaymentAPI
from restante.demo.tickets import TicketAPI

SHOPS = {"361": "demo-secret", "362": "other-secret"}
SHOP = ("361", "demo-secret")
OTHER_SHOP = ("362", "other-secret")

APPROVED = "4200000000000000"
DECLINED = "4005550000000019"
CHALLENGED = "4012000000001097"


class TestClock:
    """Sleeping moves the time and takes none; between `hold` and `release` it waits."""

    __test__ = False

    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 4, 3, 2, 1, 692_000, tzinfo=UTC)
        self.slept: list[float] = []
        self._open = asyncio.Event()
        self._open.set()

    def now(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self._open.wait()
        self.advance(seconds)


class Receiver:
    """A merchant who is told: answers with `statuses` in turn, then with 200. OSError: nobody there."""

    def __init__(self) -> None:
        self.statuses: list[int | OSError] = []
        self.calls: list[tuple[str, dict[str, str], bytes]] = []

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        self.calls.append((url, headers, body))
        status = self.statuses.pop(0) if self.statuses else 200
        if isinstance(status, OSError):
            raise status
        return status


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def api(clock: TestClock, receiver: Receiver) -> PaymentAPI:
    return PaymentAPI(shops=SHOPS, clock=clock, chance=random.Random(7), post=receiver.post)


@pytest_asyncio.fixture
async def psp(api: PaymentAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://psp.test", auth=SHOP) as client:
        yield client


@pytest_asyncio.fixture
async def desk(clock: TestClock) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(TicketAPI(clock=clock, chance=random.Random(7)))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        yield client


def order(card: str = APPROVED, /, **fields: Any) -> dict[str, Any]:
    """The body of a payment or authorization; `fields` replace, None takes out."""
    request: dict[str, Any] = {
        "amount": 1999,
        "currency": "USD",
        "description": "An order",
        "tracking_id": "order-1",
        "language": "en",
        "test": True,
        "billing_address": {"first_name": "Jane", "last_name": "Doe", "country": "US", "city": "Denver"},
        "credit_card": {
            "number": card,
            "verification_value": "123",
            "holder": "Jane Doe",
            "exp_month": "05",
            "exp_year": "2027",
        },
        "customer": {"ip": "127.0.0.1", "email": "jane@example.com"},
    }
    request.update(fields)
    return {"request": {name: value for name, value in request.items() if value is not None}}


async def make(psp: httpx.AsyncClient, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """The transaction of a call that is answered with one."""
    response = await psp.post(f"/transactions/{operation}", json=body)
    assert response.status_code == 200, response.text
    transaction: dict[str, Any] = response.json()["transaction"]
    return transaction


async def follow(
    psp: httpx.AsyncClient, operation: str, parent: dict[str, Any], amount: int, **fields: Any
) -> httpx.Response:
    """A child of `parent`."""
    request = {"parent_uid": parent["uid"], "amount": amount, "reason": "Client request", **fields}
    return await psp.post(f"/transactions/{operation}", json={"request": request})
