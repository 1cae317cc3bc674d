"""What tests in several rooms use."""

from collections.abc import AsyncIterator, Iterator

import pytest

from .postgres import Server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests of a process that do not break it."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
async def database(postgres: Server) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database."""
    url = await postgres.database()
    yield url
    await postgres.drop(url)
