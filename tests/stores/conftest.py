"""Every law of `ports.Store` is tested on every back end; a back end is how its store is opened."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from restante.core.policy import Limits
from restante.ports import Store
from restante.stores.postgres import PostgresStore
from restante.stores.sqlite import SQLiteStore, apart

from .. import forked
from ..pgbouncer import Bouncer, installed
from ..postgres import Server
from ..sealing.keys import sealing
from .postgres.pooler import Pooler

Opener = Callable[..., Awaitable[Store]]


def _sqlite(request: pytest.FixtureRequest) -> Opener:
    folder: Path = request.getfixturevalue("tmp_path")

    async def open(**limits: Any) -> Store:
        return await SQLiteStore.open(str(folder / "restante.db"), limits=Limits(**limits))

    return open


def _apart(request: pytest.FixtureRequest) -> Opener:
    folder: Path = request.getfixturevalue("tmp_path")
    request.getfixturevalue("forking")

    async def open(**limits: Any) -> Store:
        return await SQLiteStore.open(str(folder / "restante.db"), limits=Limits(**limits), apart=True)

    return open


def _postgres(request: pytest.FixtureRequest) -> Opener:
    url: str = request.getfixturevalue("database")

    async def open(**limits: Any) -> Store:
        return await PostgresStore.open(url, limits=Limits(**limits))

    return open


def _pooled(request: pytest.FixtureRequest) -> Opener:
    url: str = request.getfixturevalue("pooled")

    async def open(**limits: Any) -> Store:
        return await PostgresStore.open(url, limits=Limits(**limits))

    return open


def _sealed(open: Opener, request: pytest.FixtureRequest) -> Opener:
    """What another opens, with everything in it sealed."""
    folder: Path = request.getfixturevalue("tmp_path")

    async def open_sealed(**limits: Any) -> Store:
        return await sealing(await open(**limits), folder / "keys")

    return open_sealed


BACK_ENDS = {
    "sqlite": _sqlite,
    "apart": _apart,
    "postgres": _postgres,
    "pooled": _pooled,
    "sealed": lambda request: _sealed(_sqlite(request), request),
    "sealed postgres": lambda request: _sealed(_postgres(request), request),
}
"""`apart`: SQLite, written by a process of its own. `pooled`: PostgreSQL behind a pooler in transaction
mode, a real one where there is one; `check-all`. `sealed`: with all contents sealed (tests/sealing has what
is special about that)."""


@pytest.fixture(
    params=[
        "sqlite",
        "apart",
        "postgres",
        pytest.param("sealed", marks=pytest.mark.slow),
        pytest.param("sealed postgres", marks=pytest.mark.all),
        pytest.param("pooled", marks=pytest.mark.all),
    ]
)
def opener(request: pytest.FixtureRequest) -> Opener:
    return BACK_ENDS[request.param](request)


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that writes is forked, as a real one that starts at once."""
    monkeypatch.setattr(apart, "subprocess", forked)


@pytest.fixture(scope="session")
def bouncer(postgres: Server) -> Iterator[Bouncer | None]:
    """One for all tests of a process; None where it is not installed."""
    bouncer = Bouncer(postgres) if installed() else None
    yield bouncer
    if bouncer is not None:
        bouncer.close()


@pytest.fixture
async def pooled(database: str, bouncer: Bouncer | None) -> AsyncIterator[str]:
    """The test's database behind a pooler."""
    if bouncer is not None:
        yield bouncer.url(database)
        return
    async with Pooler(database) as pooler:
        yield pooler.url + "&pooler=on"


@pytest.fixture
async def opened(opener: Opener) -> AsyncIterator[Opener]:
    """Opens the back end's store, again and again if wanted: always the same data, one at a time."""
    stores: list[Store] = []

    async def open(**limits: Any) -> Store:
        for store in stores:
            await store.close()
        stores.append(await opener(**limits))
        return stores[-1]

    yield open
    for store in stores:
        await store.close()


@pytest.fixture
async def store(opened: Opener) -> Store:
    return await opened()
