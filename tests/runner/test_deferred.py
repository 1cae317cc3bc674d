"""Work that the upstream takes and reports later, with a real upstream."""

from pathlib import Path

import pytest

from restante.core.clock import DAY, MINUTE
from restante.core.errors import NotNow
from restante.core.model import Transaction
from restante.core.policy import Route
from restante.core.report import Report, Told
from restante.core.status import EventKind, Outcome, Phase, Status
from restante.core.token import attempt_of
from restante.service import reporting

from ..e2e.harness import RecordingUpstream
from ..world import World, a_world, eventually, insisted

LATER = b"HTTP/1.1 202 Accepted\r\nRestante-Completion: deferred\r\nContent-Length: 2\r\n\r\n{}"
ORIGIN = "http://gateway.test:8600"
ROUTES = (Route(deferred=True),)


def later() -> RecordingUpstream:
    return RecordingUpstream(lambda call: LATER)


async def put_off(world: World, transaction: Transaction) -> Transaction:
    return await world.until(transaction, lambda found: found.phase is Phase.DEFERRED)


async def report(world: World, upstream: RecordingUpstream, said: Report) -> Transaction:
    """As the upstream would: with what came with its first call."""
    call = upstream.calls[0]
    id = (call.header("restante-events-url") or "").split("/")[-2]
    found = await reporting.identify(world.service, id, call.header("restante-events-token") or "")
    assert found is not None
    return await reporting.report(world.service, *found, said)


async def test_the_upstream_is_told_where_to_report_and_has_a_token_per_attempt(tmp_path: Path) -> None:
    async with (
        later() as upstream,
        a_world(tmp_path, upstream.url, routes=ROUTES, events_url=ORIGIN) as world,
    ):
        transaction = await put_off(world, await world.submit())
        url = upstream.calls[0].header("restante-events-url")
        assert url == f"{ORIGIN}/-/transactions/{transaction.id}/events"
        token = upstream.calls[0].header("restante-events-token") or ""
        assert attempt_of(token, world.store.secret, transaction.id) == 1


async def test_without_events_url_the_upstream_sees_nothing_of_it(tmp_path: Path) -> None:
    async with later() as upstream, a_world(tmp_path, upstream.url) as world:
        await world.ended(await world.submit())
        assert upstream.calls[0].header("restante-events-url") is None
        assert upstream.calls[0].header("restante-events-token") is None


async def test_on_other_routes_an_answer_is_the_end_whatever_it_says(tmp_path: Path) -> None:
    async with later() as upstream, a_world(tmp_path, upstream.url, events_url=ORIGIN) as world:
        done = await world.ended(await world.submit())
        assert (done.status, done.result_status) == (Status.COMPLETED, 202)


async def test_deferred_work_stays_processing_and_is_not_repeated(tmp_path: Path) -> None:
    async with (
        later() as upstream,
        a_world(tmp_path, upstream.url, routes=ROUTES, events_url=ORIGIN) as world,
    ):
        transaction = await put_off(world, await world.submit("PUT"))
        assert (transaction.status, transaction.due_at) == (Status.PROCESSING, transaction.deadline)
        assert (await world.events(transaction))[-1].kind is EventKind.INFO
        await world.clock.advance(DAY - MINUTE)
        await insisted(world.sweeper.sweep)
        assert (await world.now(transaction)).phase is Phase.DEFERRED
        assert len(upstream.calls) == 1


async def test_a_report_ends_it_with_the_result_it_brings(tmp_path: Path) -> None:
    async with (
        later() as upstream,
        a_world(tmp_path, upstream.url, routes=ROUTES, events_url=ORIGIN) as world,
    ):
        await put_off(world, await world.submit())
        told = Told(201, ((b"x-a", b"1"),), b"paid")
        done = await report(world, upstream, Report(status=Status.COMPLETED, result=told))
        assert (done.status, done.outcome, done.due_at) == (Status.COMPLETED, Outcome.ANSWERED, None)
        result = await world.service.result(done)
        assert result is not None and (result.status, result.body.inline) == (201, b"paid")


async def test_a_report_before_the_deferring_answer_counts_and_the_answer_does_not(tmp_path: Path) -> None:
    async with (
        later() as upstream,
        a_world(tmp_path, upstream.url, routes=ROUTES, events_url=ORIGIN) as world,
    ):
        upstream.gate.clear()
        transaction = await world.submit("GET")
        await eventually(lambda: len(upstream.calls) == 1)
        done = await report(world, upstream, Report(status=Status.COMPLETED))
        upstream.gate.set()
        await eventually(lambda: world.runner.running == 0)
        assert await world.now(transaction) == done


async def test_a_deadline_ends_deferred_work_with_an_unknown_outcome(tmp_path: Path) -> None:
    async with (
        later() as upstream,
        a_world(tmp_path, upstream.url, routes=ROUTES, events_url=ORIGIN) as world,
    ):
        transaction = await put_off(world, await world.submit(headers={"Restante-Deadline": "2m"}))
        await world.later(2 * MINUTE)
        done = await world.ended(transaction)
        assert (done.status, done.outcome, done.doubtful) == (Status.FAILED, Outcome.EXPIRED, 1)
        assert (await world.events(done))[-1].data["outcome_unknown"] is True
        with pytest.raises(NotNow):
            await report(world, upstream, Report(status=Status.COMPLETED))


async def test_deferred_work_can_be_cancelled(tmp_path: Path) -> None:
    async with (
        later() as upstream,
        a_world(tmp_path, upstream.url, routes=ROUTES, events_url=ORIGIN) as world,
    ):
        transaction = await put_off(world, await world.submit())
        cancelled = await world.service.cancel("default", transaction.id)
        assert cancelled is not None and cancelled.status is Status.CANCELLED


async def test_deferred_work_goes_on_waiting_after_a_restart(tmp_path: Path) -> None:
    async with later() as upstream:
        async with a_world(tmp_path, upstream.url, routes=ROUTES, events_url=ORIGIN) as world:
            transaction = await put_off(world, await world.submit())
        async with a_world(tmp_path, upstream.url, routes=ROUTES, events_url=ORIGIN) as world:
            await world.clock.advance(MINUTE)
            assert await world.now(transaction) == transaction
            done = await report(world, upstream, Report(status=Status.COMPLETED))
            assert (done.status, len(upstream.calls)) == (Status.COMPLETED, 1)


async def test_an_error_that_says_deferred_is_an_error(tmp_path: Path) -> None:
    refusal = LATER.replace(b"202 Accepted", b"500 Sorry")
    async with (
        RecordingUpstream(lambda call: refusal) as upstream,
        a_world(tmp_path, upstream.url, routes=ROUTES, events_url=ORIGIN) as world,
    ):
        assert (await world.ended(await world.submit())).status is Status.FAILED
