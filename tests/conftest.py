"""What tests in several rooms use."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from . import trial
from .postgres import Server

TESTS = Path(__file__).parent

APART = (
    "e2e/",
    "cli/test_demo.py",
    "cli/test_migrate.py",
    "cli/test_serve.py",
    "cli/test_transactions.py",
    "sealing/",
)
"""Here servers are started as a user does."""

QUICK = {
    "e2e/test_kill.py",
    "e2e/test_seed_000.py",
    "e2e/test_seed_004.py",
    "stores/postgres/test_feed.py",
    "stores/test_accept.py",
}
"""These are for `make check` all the same."""


def pytest_addoption(parser: pytest.Parser) -> None:
    trial.options(parser)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--faults") is not None:
        config.pluginmanager.register(trial.Trial(config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a database server, what starts one of ours, and what is kept in other ways than in SQLite by
    this process, is for `make check-slow`, but for a few."""
    for item in items:
        place = item.path.relative_to(TESTS).as_posix()
        way = item.name.partition("[")[2].partition("-")[0].rstrip("]")
        other = way in ("postgres", "apart", "sealed") or "postgres" in getattr(item, "fixturenames", ())
        if place not in QUICK and (place.startswith(APART) or other):
            item.add_marker(pytest.mark.slow)


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
