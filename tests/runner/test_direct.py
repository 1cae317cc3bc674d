"""Attempts without a task: what they leave to others when anything is out of the ordinary."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from restante.core.errors import KeyReused, MoveRefused, RestanteError, StoreUnavailable
from restante.core.model import Change
from restante.core.policy import Limits, Retry
from restante.core.status import EventKind, Outcome, Phase, Status

from ..e2e.harness import OK, RecordingUpstream
from ..world import World, a_world, eventually

LARGE = b"x" * 300_000
LARGE_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(autouse=True)
def only_at_hand(connected: bool) -> None:
    if not connected:
        pytest.skip("the other way is not what this is about")


class Answering:
    """A store that answers changes of one phase with what `answer` gives first: None lets them through."""

    def __init__(self, inner: Any, phase: Phase, answers: list[bool | BaseException | None]) -> None:
        self.inner = inner
        self.phase = phase
        self.answers = answers
        self.offered: list[Change] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def offer(self, submissions: Any, told: Any) -> None:
        """Without marks, as a store that cannot write them with an accept."""
        self.inner.offer([msgspec.structs.replace(one, begun=None) for one in submissions], told)

    def offer_change(self, change: Change, told: Callable[[bool | BaseException], None]) -> None:
        self.offered.append(change)
        answer = self.answers.pop(0) if change.after.phase is self.phase and self.answers else None
        if answer is None:
            self.inner.offer_change(change, told)
        else:
            asyncio.get_running_loop().call_soon(told, answer)


def _idle(world: World) -> int:
    return sum(map(len, world.sender._pool._idle.values()))


async def test_the_mark_comes_with_the_accept(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        upstream.gate.clear()
        await world.at_rest()  # it has looked into the store: nobody is before this one
        commits = world.store.commits
        transaction = await world.submit()
        assert transaction.status is Status.PENDING  # as it was accepted
        begun = await world.now(transaction)
        assert (begun.status, begun.phase, begun.attempt) == (Status.PROCESSING, Phase.SENDING, 1)
        assert world.store.commits == commits + 1
        upstream.gate.set()
        done = await world.ended(transaction)
        assert [event.sequence for event in await world.events(done)] == [1, 2, 3]
        assert len(upstream.calls) == 1


async def test_a_store_that_writes_no_marks_with_accepts_is_offered_them_after(tmp_path: Path) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, wrap=lambda store: Answering(store, Phase.SENDING, [])) as world,
    ):
        done = await world.ended(await world.submit())
        assert (done.status, done.attempt, len(upstream.calls)) == (Status.COMPLETED, 1, 1)
        assert [change.after.phase for change in world.store.offered] == [Phase.SENDING, Phase.WAITING]


async def test_what_is_no_new_transaction_gives_everything_back(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        key = {"Idempotency-Key": "one"}
        first = await world.ended(await world.submit(headers=key))
        await eventually(lambda: _idle(world) == 1)
        assert (await world.submit(headers=key)).id == first.id
        with pytest.raises(KeyReused):
            await world.submit(headers=key, body=b"another")
        assert _idle(world) == 1
        (lane,) = world.runner.lanes
        assert (lane.held, lane.running, len(upstream.calls)) == (0, 0, 1)


@pytest.mark.sound_store("its own store fails")
@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        (False, 1),  # it is looked at again: nobody was faster
        (StoreUnavailable("the disk is full"), 1),  # later
        (MoveRefused(Status.CANCELLED, "begin"), 0),  # it is somebody else's
        (RestanteError("a bug"), 0),  # ours to mend: it waits for its lease to lapse
    ],
    ids=["lost", "refused", "taken", "broken"],
)
async def test_without_its_mark_nothing_is_sent(
    answer: bool | BaseException, calls: int, tmp_path: Path
) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(
            tmp_path,
            upstream.url,
            wrap=lambda store: Answering(store, Phase.SENDING, [answer] * (1 if calls else 100)),
        ) as world,
    ):
        await world.at_rest()
        transaction = await world.submit()
        await world.at_rest()
        if calls:
            await world.clock.advance(2_000_000)
            assert (await world.ended(transaction)).status is Status.COMPLETED
        assert len(upstream.calls) == calls
        assert _idle(world) == 1


@pytest.mark.parametrize("refused", [False, StoreUnavailable("the disk is full")], ids=["lost", "refused"])
async def test_an_answer_is_kept_until_the_store_takes_it(
    refused: bool | BaseException, tmp_path: Path
) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(
            tmp_path, upstream.url, wrap=lambda store: Answering(store, Phase.WAITING, [refused])
        ) as world,
    ):
        done = await world.ended(await world.submit())
        assert (done.status, done.outcome, len(upstream.calls)) == (Status.COMPLETED, Outcome.ANSWERED, 1)
        assert [event.sequence for event in await world.events(done)] == [1, 2, 3]


async def test_a_large_answer_is_kept_whole(tmp_path: Path) -> None:
    async with (
        RecordingUpstream(lambda call: LARGE_ANSWER) as upstream,
        a_world(tmp_path, upstream.url) as world,
    ):
        done = await world.ended(await world.submit())
        result = await world.service.result(done)
        assert result is not None and result.body.inline is None
        assert b"".join([piece async for piece in world.service.read_result(done, result)]) == LARGE


async def test_an_answer_over_the_limit_is_not_kept(tmp_path: Path) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, limits=Limits(max_result=5)) as world,
    ):
        done = await world.ended(await world.submit())
        assert (done.status, done.outcome) == (Status.FAILED, Outcome.INTERRUPTED)
        assert (await world.events(done))[-1].kind is EventKind.FAILURE


async def test_a_connection_that_was_closed_meanwhile_is_replaced(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:

        def close(change: Change, told: Any) -> None:
            for connection in list(world.sender._pool._open):
                connection.drop()
            offered(change, told)

        store = Answering(world.store, Phase.SENDING, [])
        offered, world.service.store = store.offer_change, store
        store.offer_change = close  # type: ignore[method-assign]
        done = await world.ended(await world.submit())
        assert (done.status, done.attempt, len(upstream.calls)) == (Status.COMPLETED, 1, 1)


async def test_a_listed_code_is_tried_again_at_its_time(tmp_path: Path) -> None:
    answers = [BUSY, OK]
    async with (
        RecordingUpstream(lambda call: answers.pop(0)) as upstream,
        a_world(tmp_path, upstream.url, retry=Retry(on_codes=frozenset({503}))) as world,
    ):
        transaction = await world.submit()
        await world.until(transaction, lambda found: found.phase is Phase.WAITING and found.attempt == 1)
        await world.at_rest()
        await world.clock.advance(1_000_000)
        assert (await world.ended(transaction)).attempt == 2


async def test_one_that_is_broken_off_leaves_its_mark(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        upstream.gate.clear()
        transaction = await world.submit()
        await eventually(lambda: len(upstream.calls) == 1)
        await world.runner.stop(0)
        (lane,) = world.runner.lanes
        assert (lane.running, lane.held, _idle(world)) == (0, 0, 0)
        assert (await world.now(transaction)).phase is Phase.SENDING


async def test_a_slot_is_free_while_an_end_is_written(tmp_path: Path) -> None:
    held: list[Callable[[], None]] = []

    class Slow(Answering):
        """Ends are written when the test says so."""

        def offer_change(self, change: Change, told: Any) -> None:
            if change.result is None:
                self.inner.offer_change(change, told)
            else:
                held.append(lambda: self.inner.offer_change(change, told))

    async with (
        RecordingUpstream() as upstream,
        a_world(
            tmp_path,
            upstream.url,
            concurrency=1,
            wrap=lambda store: Slow(store, Phase.SENDING, []),
        ) as world,
    ):
        sent = [await world.submit() for _ in range(4)]
        await eventually(lambda: len(held) == 2)
        assert len(upstream.calls) == 2  # and no more than that: what is not written is bounded
        while held:
            held.pop()()
            await eventually(lambda: bool(held) or world.runner.lanes[0].held == 0)
        for transaction in sent:
            assert (await world.ended(transaction)).status is Status.COMPLETED
        assert len(upstream.calls) == 4
