"""Shares of an upstream's limits: asked for again as soon as the store can, where it refused."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from restante.core.clock import SECOND
from restante.core.errors import StoreUnavailable
from restante.core.model import Wanted
from restante.core.policy import Upstream
from restante.runner.shares import Shares
from restante.service.outage import REST

from ..fakes import FakeClock
from ..world import eventually


class Refusing:
    """A store of several processes that refuses the first question."""

    shared = True

    def __init__(self) -> None:
        self.asked = 0

    async def divide(self, wanted: Mapping[str, Wanted]) -> dict[str, int]:
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailable("the disk is full")
        return {name: one.total for name, one in wanted.items()}


@pytest.mark.sound_store("its own store refuses, and how long it rests then is what is asked")
async def test_a_share_that_was_refused_is_asked_for_after_a_rest() -> None:
    store: Any = Refusing()
    clock = FakeClock()
    lane: Any = SimpleNamespace(upstream=Upstream(host="h", port=1, authority="h:1"), running=0)
    shares = Shares(store=store, clock=clock, lease=60 * SECOND, changed=lambda: None)
    shares.start({"default": lane})
    await eventually(lambda: store.asked == 1 and clock.waited_for() == 1)
    assert shares.of(lane) == 0
    await clock.advance(REST)
    await eventually(lambda: shares.of(lane) == lane.upstream.concurrency)
    await shares.stop()
