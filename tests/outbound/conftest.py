"""Every law of this room holds on asyncio's own loop and on uvloop, which production runs on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import pytest_asyncio
import uvloop

from restante.outbound import HTTPSender


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[HTTPSender]:
    sender = HTTPSender()
    yield sender
    await sender.close()
