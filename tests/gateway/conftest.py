import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from .house import House

MakeHouse = Callable[..., Awaitable[House]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the product runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def make_house(tmp_path: Path) -> AsyncIterator[MakeHouse]:
    """A house with settings of one's own."""
    houses = []

    async def make(**settings: object) -> House:
        houses.append(await House.open(tmp_path, **settings))
        return houses[-1]

    yield make
    for house in houses:
        await house.close()


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house()
