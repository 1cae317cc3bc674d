"""Every law of `ports.Store` is tested on every back end; a back end is how its store is opened."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from restante.core.policy import Limits
from restante.ports import Store
from restante.stores.sqlite import SQLiteStore

Opener = Callable[..., Awaitable[Store]]


def _sqlite(folder: Path) -> Opener:
    async def open(**limits: Any) -> Store:
        return await SQLiteStore.open(str(folder / "restante.db"), limits=Limits(**limits))

    return open


BACK_ENDS = {"sqlite": _sqlite}


@pytest.fixture(params=BACK_ENDS)
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the back end's store, again and again if wanted: always the same data, one at a time."""
    stores: list[Store] = []
    opener = BACK_ENDS[request.param](tmp_path)

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
