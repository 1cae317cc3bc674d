"""A gateway to ask, and clients of both kinds to ask with."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from restante.core.policy import Route
from restante.core.status import Dialect

from ..gateway.conftest import MakeHouse, make_house, pytest_asyncio_loop_factories
from ..gateway.house import House
from .callers import KINDS, Caller

__all__ = ["make_house", "pytest_asyncio_loop_factories"]

TICKETS = Route(
    method="POST",
    path="/channel/v0/tickets",
    dialect=Dialect.TRANSACTION,
    transactions="/seller/v0/transactions",
)

MakeCaller = Callable[..., Caller]


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(routes=[TICKETS])


@pytest.fixture(params=KINDS)
async def call(request: pytest.FixtureRequest) -> AsyncIterator[MakeCaller]:
    """Makes a client of the kind that the test is run with."""
    made: list[Caller] = []

    def make(url: str | int, **how: Any) -> Caller:
        made.append(Caller(request.param, url if isinstance(url, str) else f"http://127.0.0.1:{url}", **how))
        return made[-1]

    yield make
    for one in made:
        await one.close()
