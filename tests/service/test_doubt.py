"""A write of which nobody knows whether it was done is found out: nothing is done twice, or forgotten."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from restante.core.clock import SECOND
from restante.core.endpoint import Endpoint
from restante.core.errors import StoreUnavailable, WriteUnknown
from restante.core.model import Change, Submission
from restante.core.policy import Limits
from restante.core.status import Reading, Status
from restante.ports import Told
from restante.service import reading
from restante.service.doubt import LONGEST
from restante.service.outage import Outage

from .. import world as worlds
from ..couriers import SECRET, TIMED_OUT, answered
from ..e2e.harness import RecordingUpstream
from ..world import World, a_world, eventually

pytestmark = pytest.mark.sound_store("its own store fails")

URL = "https://good.example/hook"


@pytest.fixture(params=[False, True], ids=["anew", "at_hand"], autouse=True)
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits for the store asks again without a rest; with and without a connection at hand."""
    monkeypatch.setattr(worlds, "CONNECTED", request.param)
    monkeypatch.setattr(Outage, "pauses", (0,))
    monkeypatch.setattr(Outage, "rest", 0)


class Lossy:
    """A store that fails as it is told: of each method the next calls, in turn, `done`, `lost`, `refused`,
    `broken` (by an error of ours) or `well`."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.script: defaultdict[str, list[str]] = defaultdict(list)

    def next(self, name: str) -> str:
        return self.script[name].pop(0) if self.script[name] else "well"

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return partial(self._call, name, found) if self.script.get(name) else found

    async def _call(self, name: str, method: Any, *what: Any, **how: Any) -> Any:
        kind = self.next(name)
        if kind == "refused":
            raise StoreUnavailable("the disk is full")
        if kind == "broken":
            raise ValueError("a bug")
        value = None if kind == "lost" else await method(*what, **how)
        if kind in ("done", "lost"):
            raise WriteUnknown("the store went away")
        return value

    def offer(self, submissions: Sequence[Submission], told: Told) -> None:
        kind = self.next("offer")

        def lost(answers: Any) -> None:
            held = [one.transaction.key for one in submissions if one.claim]
            asyncio.get_running_loop().create_task(self.inner.release(held))
            told([WriteUnknown("the store went away") for _ in answers])

        if kind == "refused":
            told([StoreUnavailable("the disk is full") for _ in submissions])
        elif kind == "lost":
            lost(submissions)
        else:
            self.inner.offer(submissions, lost if kind == "done" else told)

    def offer_change(self, change: Change, told: Callable[[bool | BaseException], None]) -> None:
        kind = self.next("apply")
        unknown = WriteUnknown("the store went away")
        match kind:
            case "refused":
                told(StoreUnavailable("the disk is full"))
            case "lost":
                told(unknown)
            case "done":
                self.inner.offer_change(change, lambda answer: told(unknown))
            case _:
                self.inner.offer_change(change, told)


async def endpoint(world: World) -> Endpoint:
    now = world.clock.now()
    one = Endpoint(id="ep_1", tenant="default", url=URL, created_at=now, updated_at=now, secrets=(SECRET,))
    return await world.service.endpoints.add(one)


async def test_an_accept_that_was_lost_and_done_is_accepted_and_run_once(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        for kind, looks in (("done", []), ("done", ["refused"])):
            world.store.script.update(offer=[kind], look=looks)
            done = await world.ended(await world.submit())
            assert (done.status, done.attempt) == (Status.COMPLETED, 1)
        assert len(upstream.calls) == 2


async def test_an_accept_that_was_lost_and_not_done_is_refused_and_its_place_is_free(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        world.store.script.update(offer=["lost"])
        with pytest.raises(WriteUnknown):
            await world.submit()
        assert world.runner.lanes[0].held == 0
        assert not upstream.calls


@pytest.mark.parametrize("kind", ["done", "lost"])
@pytest.mark.parametrize("mark", [True, False])
async def test_a_mark_or_an_end_that_was_lost_is_made_once(mark: bool, kind: str, tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    async with (
        RecordingUpstream(lambda call: answer) as upstream,
        a_world(tmp_path, upstream.url, wrap=Lossy, limits=Limits()) as world,
    ):
        world.store.script["apply"] = [kind] if mark else ["well", kind]
        transaction = await world.submit()
        waiting = asyncio.ensure_future(world.service.wait("default", transaction.id, span=LONGEST))
        done = await world.ended(transaction)
        assert (await waiting, done.status, len(upstream.calls)) == (done, Status.COMPLETED, 1)
        assert [event.sequence for event in await world.events(done)] == [1, 2, 3]
        result = await world.service.result(done)
        assert result is not None
        body = b"".join([piece async for piece in world.service.read_result(done, result)])
        assert body == b"x" * 200_000
        assert not world.store.inner._memory.held


async def test_an_attempt_ends_whatever_is_raised_while_its_end_is_found_out(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        world.store.script.update(apply=["well", "done"], events=["broken"])
        transaction = await world.submit()
        done = await world.ended(transaction)
        await world.at_rest()  # no attempt is under way for ever
        assert not any(world.store.script.values())
        assert (done.status, world.runner.lanes[0].running, len(upstream.calls)) == (Status.COMPLETED, 0, 1)


async def test_who_submits_has_an_answer_whatever_is_raised_while_it_is_found_out(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        world.store.script.update(offer=["lost"], look=["broken"])
        with pytest.raises(WriteUnknown):
            await asyncio.wait_for(world.submit(), 10)
        assert world.runner.lanes[0].held == 0


async def test_a_cancel_that_was_lost_and_done_is_told_as_done(tmp_path: Path) -> None:
    async with a_world(tmp_path, "http://127.0.0.1:9", run=False, wrap=Lossy) as world:
        transaction = await world.submit()
        world.store.script.update(apply=["done"])
        cancelled = await world.service.cancel("default", transaction.id)
        assert cancelled is not None
        assert cancelled.status is Status.CANCELLED
        assert len(await world.events(transaction)) == 2


async def test_what_cannot_be_given_back_is_so_later(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        world.store.script.update(apply=["refused"], release=["refused"])
        transaction = await world.submit()
        done = await world.ended(transaction)
        assert not world.store.script["apply"]
        assert (done.status, len(upstream.calls)) == (Status.COMPLETED, 1)


@pytest.mark.parametrize("kind", ["done", "lost"])
async def test_a_reading_that_was_lost_is_the_callers_or_nobodys(kind: str, tmp_path: Path) -> None:
    refused = b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"
    async with (
        RecordingUpstream(lambda call: refused) as upstream,
        a_world(tmp_path, upstream.url, wrap=Lossy) as world,
    ):
        done = await world.ended(await world.submit())
        world.store.script.update(reserve_reading=[kind])
        token = await reading.reserve(world.service, done)
        assert token is not None
        assert (await world.now(done)).reading is Reading.RESERVED
        world.store.script.update(settle_reading=["done"])
        await reading.settle(world.service, done, token, read=True)
        assert (await world.now(done)).reading is Reading.READ
        assert await reading.reserve(world.service, done) is None


async def test_a_delivery_that_missed_and_was_lost_is_tried_again_in_time(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        world.courier.script[URL] = lambda _: TIMED_OUT
        await endpoint(world)
        world.store.script.update(settle=["done"])
        await world.ended(await world.submit())
        await eventually(lambda: len(world.courier.sent) == 1 and not any(world.store.script.values()))
        await world.at_rest()
        await world.later(2 * LONGEST)  # the schedule's first pause, and its jitter
        await eventually(lambda: len(world.courier.sent) == 2)


@pytest.mark.parametrize("kinds", [["refused"] * 3, ["lost", "done"], ["done"]])
async def test_who_wants_no_more_is_left_alone_as_soon_as_that_can_be_written(
    kinds: list[str], tmp_path: Path
) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        world.courier.script[URL] = lambda _: answered(410)
        await endpoint(world)
        world.store.script.update(keep_endpoint=kinds)
        await world.ended(await world.submit())
        await eventually(lambda: world.service.endpoints.switched_off == 1)  # and no time has passed
        await world.at_rest()
        assert len(world.courier.sent) == 1


async def test_who_wants_no_more_is_asked_once_more_where_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Outage, "pauses", (SECOND,))
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        world.courier.script[URL] = lambda _: answered(410)
        await endpoint(world)
        refusals = world.policy.webhooks.lease // SECOND + 1
        world.store.script.update(keep_endpoint=["refused"] * refusals)
        left = world.store.script["keep_endpoint"]
        await world.ended(await world.submit())
        for count in reversed(range(refusals)):
            await eventually(lambda: len(left) <= count)  # noqa: B023
            await world.clock.advance(SECOND)
        await eventually(lambda: world.service.endpoints.switched_off == 1)
        await world.at_rest()
        assert len(world.courier.sent) == 2
        assert world.courier.sent[0].body == world.courier.sent[1].body


async def test_that_something_arrived_is_not_forgotten_while_the_store_refuses(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        endpoints = world.service.endpoints
        world.courier.script[URL] = lambda _: TIMED_OUT
        await endpoint(world)
        world.store.script.update(keep_endpoint=["refused"])
        await world.ended(await world.submit())
        await eventually(lambda: endpoints.of("default")[0].failing_since is not None)
        del world.courier.script[URL]
        world.store.script.update(keep_endpoint=["refused", "refused"])
        await world.at_rest()
        await world.later(2 * LONGEST)  # the schedule's first pause, and its jitter
        await eventually(lambda: endpoints.of("default")[0].failing_since is None)


async def test_deliveries_that_were_taken_in_vain_are_not_waited_for(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, wrap=Lossy) as world:
        await endpoint(world)
        world.store.script.update(take=["done"], give_back=["refused"])
        await world.ended(await world.submit())
        await eventually(lambda: len(world.courier.sent) == 1)  # and no time has passed
        assert not any(world.store.script.values())


@pytest.mark.parametrize("looks", [[], ["refused"]])
async def test_an_endpoint_that_was_lost_and_made_is_made_once(looks: list[str], tmp_path: Path) -> None:
    async with a_world(tmp_path, "http://127.0.0.1:9", run=False, send=False, wrap=Lossy) as world:
        world.store.script.update(keep_endpoint=["done"], endpoints=list(looks))
        made = await endpoint(world)
        assert list(world.service.endpoints.of("default")) == [made]
        world.store.script.update(keep_endpoint=["done"])
        changed = await world.service.endpoints.change(
            made.id, lambda one: msgspec.structs.replace(one, url="https://other.example/")
        )
        assert world.service.endpoints.one(made.id) == changed
        world.store.script.update(drop_endpoint=["done"])
        await world.service.endpoints.remove(made)
        assert world.service.endpoints.of("default") == ()
