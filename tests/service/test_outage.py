"""While the store refuses, one line when that begins and one when it is over, however much waits."""

import asyncio
import logging

import pytest

from restante.core.errors import StoreUnavailable
from restante.service.outage import PAUSES, QUIET, Outage
from restante.service.persistence import until_written

from ..fakes import FakeClock

pytestmark = pytest.mark.sound_store("its own store fails")


async def test_an_outage_is_told_twice_however_much_waits(caplog: pytest.LogCaptureFixture) -> None:
    clock, away = FakeClock(), True
    outage = Outage(clock)

    async def write() -> None:
        if away:
            raise StoreUnavailable("The store is away.")

    with caplog.at_level(logging.INFO, "restante"):
        waiting = [
            asyncio.ensure_future(until_written(outage, write, what=f"the end of {number}"))
            for number in range(50)
        ]
        await asyncio.sleep(0)
        for _ in range(20):
            await clock.advance(PAUSES[-1])
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        away = False
        await clock.advance(PAUSES[-1])
        await asyncio.gather(*waiting)
        await clock.advance(2 * QUIET)
        assert len(caplog.records) == 2
        assert "goes on" in caplog.text
        away = True
        outage.met(StoreUnavailable("The store is away."), "work")
        assert len(caplog.records) == 3  # the next one is told anew
