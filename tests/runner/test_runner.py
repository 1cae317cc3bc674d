"""The runner in front of a real upstream, on a real store; only time and chance are the test's."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from restante.core.clock import DAY, MINUTE, SECOND
from restante.core.errors import StoreUnavailable
from restante.core.policy import Limits, Retry, Route
from restante.core.status import Dialect, EventKind, Interrupted, Outcome, Phase, Status

from ..e2e.harness import OK, RecordingUpstream, free_port
from ..world import a_world, eventually, insisted

BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n"


async def test_what_is_accepted_is_run_and_its_answer_kept(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        done = await world.ended(await world.submit(body=b"hello"))
        assert (done.status, done.outcome, done.attempt) == (Status.COMPLETED, Outcome.ANSWERED, 1)
        result = await world.service.result(done)
        assert result is not None and result.body.inline == b'{"done":true}'
        assert [call.body for call in upstream.calls] == [b"hello"]
        assert upstream.calls[0].header("restante-transaction") == done.id
        assert upstream.calls[0].header("idempotency-key") == done.id
        assert upstream.calls[0].header("restante-attempt") == "1"
        kinds = [(event.kind, event.status) for event in await world.events(done)]
        assert kinds == [
            (EventKind.TRANSITION, Status.PENDING),
            (EventKind.TRANSITION, Status.PROCESSING),
            (EventKind.TRANSITION, Status.COMPLETED),
        ]


async def test_no_more_than_concurrency_run_at_once(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, concurrency=3) as world:
        upstream.gate.clear()
        sent = [await world.submit() for _ in range(10)]
        await eventually(lambda: len(upstream.calls) == 3)
        assert world.runner.running == 3
        upstream.gate.set()
        for transaction in sent:
            assert (await world.ended(transaction)).status is Status.COMPLETED
        assert len(upstream.calls) == 10


async def test_what_does_not_fit_into_memory_waits_in_the_store_and_is_run_once(tmp_path: Path) -> None:
    limits = Limits(ready=4)
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, concurrency=2, limits=limits) as world,
    ):
        upstream.gate.clear()
        sent = [await world.submit() for _ in range(60)]
        upstream.gate.set()
        for transaction in sent:
            assert (await world.ended(transaction)).status is Status.COMPLETED
        ids = [call.header("restante-transaction") for call in upstream.calls]
        assert sorted(ids) == sorted(transaction.id for transaction in sent)


async def test_what_was_left_by_an_earlier_process_is_taken_up(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream:
        async with a_world(tmp_path, upstream.url, run=False) as world:
            sent = [await world.submit() for _ in range(5)]
        async with a_world(tmp_path, upstream.url) as world:
            for transaction in sent:
                assert (await world.ended(transaction)).status is Status.COMPLETED
        assert len(upstream.calls) == 5


async def test_a_failed_connect_is_tried_again_after_the_backoff(tmp_path: Path) -> None:
    port = free_port()
    retry = Retry(attempts=2, backoff=10 * SECOND)
    async with a_world(tmp_path, f"http://127.0.0.1:{port}", retry=retry) as world:
        transaction = await world.submit()
        waiting = await world.until(transaction, lambda found: found.attempt == 1)
        assert (waiting.status, waiting.phase, waiting.doubtful) == (Status.PROCESSING, Phase.WAITING, 0)
        await world.clock.advance(4 * SECOND)
        assert (await world.now(transaction)).attempt == 1
        await world.clock.advance(6 * SECOND)
        done = await world.ended(transaction)
        assert (done.outcome, done.attempt) == (Outcome.UNREACHABLE, 2)
        kinds = [event.kind for event in await world.events(done)]
        assert kinds == [
            EventKind.TRANSITION,
            EventKind.TRANSITION,
            EventKind.DELAY,
            EventKind.INFO,
            EventKind.FAILURE,
        ]


async def test_a_listed_code_is_repeated_for_any_method_and_retry_after_is_honoured(tmp_path: Path) -> None:
    answers = [BUSY, OK]
    retry = Retry(on_codes=frozenset({503}))
    async with (
        RecordingUpstream(lambda call: answers.pop(0)) as upstream,
        a_world(tmp_path, upstream.url, retry=retry) as world,
    ):
        transaction = await world.submit()
        waiting = await world.until(
            transaction, lambda found: found.phase is Phase.WAITING and found.attempt == 1
        )
        assert waiting.due_at == world.clock.now() + 90 * SECOND
        await world.clock.advance(90 * SECOND)
        done = await world.ended(transaction)
        assert (done.status, done.attempt) == (Status.COMPLETED, 2)
        assert [call.header("restante-attempt") for call in upstream.calls] == ["1", "2"]
        parents = {call.header("traceparent").split("-")[2] for call in upstream.calls}
        traces = {call.header("traceparent").split("-")[1] for call in upstream.calls}
        assert (len(parents), len(traces)) == (2, 1)


@pytest.mark.parametrize(
    ("method", "route", "calls", "status"),
    [
        ("POST", Route(), 1, Status.FAILED),
        ("POST", Route(interrupted=Interrupted.RETRY), 2, Status.COMPLETED),
        ("PUT", Route(), 2, Status.COMPLETED),
        ("GET", Route(), 2, Status.COMPLETED),
    ],
)
async def test_a_hang_up_is_repeated_only_where_a_repeat_does_not_hurt(
    method: str, route: Route, calls: int, status: Status, tmp_path: Path
) -> None:
    answers = [None, OK]
    async with (
        RecordingUpstream(lambda call: answers.pop(0)) as upstream,
        a_world(tmp_path, upstream.url, routes=(route,)) as world,
    ):
        transaction = await world.submit(method)
        await world.until(transaction, lambda found: found.doubtful == 1)
        await world.clock.advance(MINUTE)
        done = await world.ended(transaction)
        assert (done.status, len(upstream.calls)) == (status, calls)


async def test_an_upstream_that_hangs_times_out(tmp_path: Path) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, timeout=SECOND // 20) as world,
    ):
        upstream.gate.clear()
        done = await world.ended(await world.submit())
        assert (done.status, done.outcome) == (Status.FAILED, Outcome.TIMED_OUT)
        last = (await world.events(done))[-1]
        assert "unknown" in last.message


async def test_an_answer_over_max_result_fails_with_an_event_that_says_so(tmp_path: Path) -> None:
    limits = Limits(max_result=1000)
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001
    async with (
        RecordingUpstream(lambda call: large) as upstream,
        a_world(tmp_path, upstream.url, limits=limits) as world,
    ):
        done = await world.ended(await world.submit("GET"))
        assert (done.status, done.outcome, done.attempt) == (Status.FAILED, Outcome.INTERRUPTED, 1)
        assert "max_result" in (await world.events(done))[-1].message


async def test_large_bodies_go_both_ways_whole(tmp_path: Path) -> None:
    body = bytes(range(256)) * 4096 * 3
    echo = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with (
        RecordingUpstream(lambda call: echo + call.body) as upstream,
        a_world(tmp_path, upstream.url) as world,
    ):
        done = await world.ended(await world.submit(body=body))
        result = await world.service.result(done)
        assert result is not None and result.body.inline is None and result.body.size == len(body)
        assert b"".join([piece async for piece in world.service.read_result(done, result)]) == body
        assert upstream.calls[0].body == body


async def test_a_cancelled_one_is_not_run(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, concurrency=1) as world:
        upstream.gate.clear()
        first, second = await world.submit(), await world.submit()
        await eventually(lambda: len(upstream.calls) == 1)
        cancelled = await world.service.cancel("default", second.id)
        assert cancelled is not None and cancelled.status is Status.CANCELLED
        upstream.gate.set()
        await world.ended(first)
        await eventually(lambda: world.runner.running == 0)
        assert len(upstream.calls) == 1
        assert (await world.now(second)).status is Status.CANCELLED


async def test_draining_finishes_what_runs_and_starts_nothing(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, concurrency=1) as world:
        upstream.gate.clear()
        first, second = await world.submit(), await world.submit()
        await eventually(lambda: len(upstream.calls) == 1)
        stopping = asyncio.ensure_future(world.runner.stop(10))
        upstream.gate.set()
        await stopping
        assert (await world.now(first)).status is Status.COMPLETED
        assert (await world.now(second)).status is Status.PENDING
        assert len(upstream.calls) == 1


async def test_what_runs_beyond_the_grace_time_is_settled_at_the_next_start(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream:
        upstream.gate.clear()
        async with a_world(tmp_path, upstream.url) as world:
            transaction = await world.submit()
            await eventually(lambda: len(upstream.calls) == 1)
            await world.runner.stop(0)
            assert (await world.now(transaction)).phase is Phase.SENDING
        async with a_world(tmp_path, upstream.url) as world:
            done = await world.ended(transaction)
            assert (done.outcome, len(upstream.calls)) == (Outcome.INTERRUPTED, 1)


async def test_leases_are_renewed_while_the_work_runs(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        upstream.gate.clear()
        transaction = await world.submit()
        await eventually(lambda: len(upstream.calls) == 1)
        for _ in range(12):
            await world.clock.advance(5 * SECOND)
            now = world.clock.now()
            found = await world.until(transaction, lambda found, now=now: (found.due_at or 0) > now)
        assert found.phase is Phase.SENDING
        upstream.gate.set()
        assert (await world.ended(transaction)).status is Status.COMPLETED


async def test_a_rate_is_held(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, rate=2.0) as world:
        sent = [await world.submit() for _ in range(4)]
        await world.ended(sent[0])
        for count in (2, 3, 4):
            await world.clock.advance(SECOND // 2 + 10)
            await eventually(lambda count=count: len(upstream.calls) >= count)
            assert len(upstream.calls) == count


@pytest.mark.sound_store("one exact order")
async def test_a_higher_priority_goes_first(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, concurrency=1) as world:
        upstream.gate.clear()
        await world.submit()
        await eventually(lambda: len(upstream.calls) == 1)
        low = await world.submit(headers={"Restante-Priority": "-5"})
        high = await world.submit(headers={"Restante-Priority": "5"})
        (lane,) = world.runner.lanes
        await eventually(lambda: len(lane._ready) == 2)
        upstream.gate.set()
        await world.ended(low)
        order = [call.header("restante-transaction") for call in upstream.calls]
        assert order[1:] == [high.id, low.id]


async def test_a_delayed_one_waits_for_its_moment(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        later = await world.submit(headers={"Restante-Delay": "10m"})
        await world.ended(await world.submit())
        assert (await world.now(later)).status is Status.PENDING
        await world.clock.advance(10 * MINUTE)
        assert (await world.ended(later)).status is Status.COMPLETED


async def test_a_deadline_ends_what_was_not_begun(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, concurrency=1) as world:
        upstream.gate.clear()
        await world.submit()
        await eventually(lambda: len(upstream.calls) == 1)
        waiting = await world.submit(headers={"Restante-Deadline": "2m"})
        await world.clock.advance(2 * MINUTE)
        await insisted(world.sweeper.sweep)
        done = await world.now(waiting)
        assert (done.status, done.outcome) == (Status.FAILED, Outcome.EXPIRED)
        upstream.gate.set()


class Stubborn:
    """A store that takes nothing of one kind for a while."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.refusals = 3

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def apply(self, changes: Any) -> Any:
        if self.refusals and any(change.result is not None for change in changes):
            self.refusals -= 1
            raise StoreUnavailable("the disk is full")
        return await self.inner.apply(changes)

    def offer_change(self, change: Any, told: Any) -> None:
        if self.refusals and change.result is not None:
            self.refusals -= 1
            told(StoreUnavailable("the disk is full"))
        else:
            self.inner.offer_change(change, told)


async def test_an_answer_in_hand_is_kept_until_the_store_takes_it(tmp_path: Path) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, wrap=Stubborn) as world,
    ):
        transaction = await world.submit()
        for left in (2, 1, 0):
            await eventually(lambda left=left: world.store.refusals <= left)
            await world.clock.advance(5 * SECOND)
        done = await world.ended(transaction)
        assert (done.status, len(upstream.calls)) == (Status.COMPLETED, 1)


class Forgetful(Stubborn):
    """A store that does not take the first mark."""

    def offer_change(self, change: Any, told: Any) -> None:
        if self.refusals and change.after.phase is Phase.SENDING:
            self.refusals = 0
            told(StoreUnavailable("the disk is full"))
            return
        self.inner.offer_change(change, told)


async def test_a_harmless_one_whose_mark_was_not_written_begins_and_ends_in_one_commit(
    tmp_path: Path,
) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, wrap=Forgetful) as world,
    ):
        transaction = await world.submit("GET")
        await eventually(lambda: len(upstream.calls) == 1)
        done = await world.ended(transaction)
        assert (done.status, done.attempt, len(upstream.calls)) == (Status.COMPLETED, 1, 1)
        assert [event.sequence for event in await world.events(done)] == [1, 2, 3]


async def test_results_go_after_their_retention_and_transactions_after_their_history(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        done = await world.ended(await world.submit(dialect=Dialect.TRANSACTION))
        assert (await world.events(done))[-1].data == {"done": True}
        await world.clock.advance(DAY - 1)
        await insisted(world.sweeper.sweep)
        assert await world.service.result(done) is not None
        await world.clock.advance(1)
        assert await world.service.result(done) is None
        await insisted(world.sweeper.sweep)
        assert await world.store.results([done.key]) == [None]
        assert await world.store.requests([done.key]) == [None]
        assert (await world.events(done))[-1].data == {}
        await world.clock.advance(29 * DAY)
        await insisted(world.sweeper.sweep)
        assert await world.service.look("default", done.id) is None
        assert await world.store.events([done.key]) == [[]]


async def test_sweeping_goes_on_until_nothing_is_left(tmp_path: Path) -> None:
    limits = Limits(sweep=3)
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, limits=limits) as world,
    ):
        sent = [await world.ended(await world.submit()) for _ in range(10)]
        await world.clock.advance(DAY)
        world.sweeper.start()
        for transaction in sent:
            while await world.store.results([transaction.key]) != [None]:
                pass
        await world.sweeper.stop()


async def test_attempts_are_measured_by_what_came_of_them(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        await world.ended(await world.submit())
        upstream.answer = lambda call: None
        await world.ended(await world.submit())
        text, _ = world.metrics.write("", [])
    for result in ("2xx", "interrupted"):
        line = f'restante_upstream_seconds_count{{result="{result}",upstream="default"}} 1.0'
        assert line in text.decode()
