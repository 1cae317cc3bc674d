"""How a process starts on a store that refuses for a while, and on one that goes on refusing."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from restante.assembly.serve import START, start
from restante.assembly.store import open_store
from restante.config import Settings, settings
from restante.core.clock import SECOND
from restante.core.errors import SettingError, StoreUnavailable
from restante.service.outage import Outage

from ..fakes import FakeClock

pytestmark = pytest.mark.sound_store("its own store fails")


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    return settings({"store": f"sqlite:///{tmp_path}/restante.db", "upstream": {"url": "http://127.0.0.1:9"}})


class Refusing:
    """A store that refuses the first `times` looks of each kind."""

    def __init__(self, inner: Any, times: int) -> None:
        self.inner = inner
        self.refused = {"paused": times, "endpoints": times}
        self.closed = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return partial(self._call, name, found) if self.refused.get(name) else found

    async def _call(self, name: str, method: Any) -> Any:
        self.refused[name] -= 1
        raise StoreUnavailable("the disk is full")

    async def close(self) -> None:
        self.closed = True
        await self.inner.close()


async def test_a_store_that_refuses_for_a_moment_is_asked_again(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Outage, "pauses", (0,))

    async def opened(url: str, **how: Any) -> Any:
        return Refusing(await open_store(url, **how), times=3)

    running = await start(given, opened=opened, clock=FakeClock(), hosted=True)
    assert await running.stop()


async def test_one_that_goes_on_refusing_is_given_up_in_a_line(given: Settings) -> None:
    clock, stores = FakeClock(), []

    async def opened(url: str, **how: Any) -> Any:
        stores.append(Refusing(await open_store(url, **how), times=1 << 30))
        return stores[-1]

    starting = asyncio.create_task(start(given, opened=opened, clock=clock, hosted=True))
    async with asyncio.timeout(20):
        while not starting.done():
            await clock.advance(SECOND // 10)
            await asyncio.sleep(0)
    with pytest.raises(SettingError, match=rf"for {START // SECOND} s: the disk is full"):
        await starting
    assert stores[0].closed
