"""What work says of itself, on its way into a store that refuses for a moment."""

from pathlib import Path
from typing import Any

import pytest

from restante.core import change
from restante.core.clock import SECOND
from restante.core.errors import StoreUnavailable
from restante.core.report import Report
from restante.core.token import events_token
from restante.embed.reports import Reports
from restante.service.outage import Outage

from ..world import a_world

pytestmark = pytest.mark.sound_store("its own store fails")


async def test_what_is_said_is_written_when_the_store_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Outage, "pauses", (0,))
    async with a_world(tmp_path, "http://127.0.0.1:9", run=False, send=False) as world:
        transaction, now = await world.submit(), world.clock.now()
        await world.service.change(
            transaction, lambda current: change.begin(current, attempt=1, now=now, lease=SECOND)
        )
        refusals, look = [StoreUnavailable("the disk is full")] * 3, world.store.look

        async def refusing(*what: Any, **how: Any) -> Any:
            if refusals:
                raise refusals.pop()
            return await look(*what, **how)

        monkeypatch.setattr(world.store, "look", refusing)
        token = events_token(world.store.secret, transaction.id, 1)
        await Reports(world.service).report(transaction.id, token, Report(message="half", data={}))
        assert not refusals
        assert [event.message for event in await world.events(transaction)][-1] == "half"
