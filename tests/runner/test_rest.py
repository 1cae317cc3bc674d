"""What costs nothing: an idle process, and a long queue."""

from pathlib import Path
from typing import Any

import pytest

from restante.core.clock import HOUR, MINUTE, SECOND
from restante.core.errors import BadRequest
from restante.core.policy import Limits
from restante.core.status import Status

from ..e2e.harness import RecordingUpstream
from ..world import a_world, eventually


class Counted:
    """A store that counts what it is asked."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.asked: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if callable(found):
            self.asked[name] = self.asked.get(name, 0) + 1
        return found


async def test_an_idle_process_looks_into_its_store_about_once_a_minute(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Counted) as world:
        world.sweeper.start()
        await world.ended(await world.submit())
        await eventually(lambda: world.runner.running == 0)
        world.store.asked.clear()
        for _ in range(3600):
            await world.clock.advance(SECOND)
            await eventually(lambda: world.sweeper.at_rest)
        await world.sweeper.stop()
        assert max(world.store.asked.values()) < 1.2 * HOUR // MINUTE
        assert set(world.store.asked) <= {"lapsed", "next_lapse", "sweep_outbox", "sweep_keys"}


async def test_a_fresh_transaction_is_run_without_asking_the_store_for_it(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Counted) as world:
        await world.ended(await world.submit())
        world.store.asked.clear()
        done = await world.ended(await world.submit())
        assert done.status is Status.COMPLETED
        assert not {"claim", "next_due", "requests"} & set(world.store.asked)
        assert (world.store.asked["offer"], world.store.asked["offer_change"]) == (1, 1)


async def test_a_long_queue_does_not_live_in_memory(tmp_path: Path) -> None:
    limits = Limits(ready=10)
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, limits=limits, concurrency=1) as world,
    ):
        upstream.gate.clear()
        for _ in range(200):
            await world.submit()
        await eventually(lambda: len(upstream.calls) == 1)
        (lane,) = world.runner.lanes
        assert lane.held <= limits.ready + 1
        assert world.store.queued == 200


async def test_what_could_never_be_run_is_refused_at_accept(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        with pytest.raises(BadRequest, match="Restante-Deadline"):
            await world.submit(headers={"Restante-Delay": "1s", "Restante-Deadline": "500ms"})
        assert world.store.queued == 0
