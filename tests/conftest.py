"""What tests in several rooms use."""

import gc
from collections.abc import AsyncIterator, Iterator

import pytest

from .postgres import Server


def pytest_collection_finish() -> None:
    """What is there before the first test stays, and need not be looked through by the collector again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests of a process that do not break it."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
async def database(postgres: Server) -> AsyncIterator[str]:
    """The URL of a migrated database with nothing in it."""
    url = await postgres.lend()
    yield url
    await postgres.give_back(url)


@pytest.fixture
async def fresh_database(postgres: Server) -> AsyncIterator[str]:
    """The same, and nothing ever was in it: no dead row, no statistics."""
    url = await postgres.database()
    yield url
    await postgres.drop(url)
