"""Webhooks from their event to their end, with a real store, a real upstream and a courier that is told what
to say. Time stands still until a test lets it pass."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from restante.core.clock import DAY, HOUR, MINUTE, SECOND
from restante.core.delivery import Delivery, Sought, State
from restante.core.endpoint import ANY_STATUS, Endpoint, Filters, callbacks_id, switched_off, switched_on
from restante.core.errors import BadRequest, NotNow
from restante.core.policy import Route
from restante.core.policy import Webhooks as Settings
from restante.core.status import Status
from restante.ports.courier import Carried, Receipt
from restante.service import deliveries as calls
from restante.webhooks.breaker import FAILURES, FIRST_PAUSE

from ..couriers import OTHER_SECRET, SECRET, TIMED_OUT, answered, header, is_signed, payload
from ..gateway.upstream import Upstream
from ..world import World, a_world, eventually

GOOD, OTHER = "https://good.example/hook", "https://other.example/hook"


@pytest.fixture
async def upstream() -> AsyncIterator[str]:
    upstream = Upstream()
    port = await upstream.start()
    yield f"http://127.0.0.1:{port}"
    await upstream.stop()


@pytest.fixture
async def world(tmp_path: Path, upstream: str) -> AsyncIterator[World]:
    async with a_world(tmp_path, upstream, routes=(Route(callback="/notify"),)) as world:
        yield world


async def endpoint(world: World, url: str = GOOD, *, id: str = "ep_1", **fields: Any) -> Endpoint:
    now = world.clock.now()
    base = Endpoint(id=id, tenant="default", url=url, created_at=now, updated_at=now, secrets=(SECRET,))
    return await world.service.endpoints.add(msgspec.structs.replace(base, **fields))


async def delivery(world: World, *, id: str = "ep_1") -> Delivery:
    """The newest there is for an endpoint."""
    (found,) = await world.store.deliveries(Sought(endpoint=id, limit=1))
    return found


async def becomes(world: World, fits: Callable[[Delivery], bool], *, id: str = "ep_1") -> Delivery:
    async with asyncio.timeout(20):
        while not fits(found := await delivery(world, id=id)):
            pass
    return found


async def quiet(world: World) -> None:
    """Until all that can be sent now was."""
    await eventually(lambda: world.webhooks.at_rest)


async def test_an_end_is_told_to_whoever_wants_it(world: World) -> None:
    await endpoint(world)
    done = await world.ended(await world.submit(body=b'{"amount":1}'))
    await becomes(world, lambda one: one.state is State.DELIVERED)
    (parcel,) = world.courier.sent
    told = payload(parcel)
    assert parcel.url == GOOD
    assert header(parcel, b"content-type") == b"application/json"
    assert list(told) == ["type", "timestamp", "data"]
    assert told["type"] == "transaction.completed"
    assert told["timestamp"].endswith("Z")
    data = told["data"]
    assert (data["id"], data["code"], data["status"]) == (done.id, done.code, "completed")
    assert (data["sequence"], data["previous_sequence"]) == (3, None)
    assert (data["outcome"], data["result"]) == ("answered", {"status": 200})


async def test_while_secrets_are_rotated_receivers_of_both_take_it(world: World) -> None:
    later = world.clock.now() + HOUR
    await endpoint(world, secrets=(OTHER_SECRET, SECRET), retire_at=later)
    await world.ended(await world.submit())
    await becomes(world, lambda one: one.state is State.DELIVERED)
    now = world.clock.now()
    assert is_signed(world.courier.sent[0], SECRET, now=now)
    assert is_signed(world.courier.sent[0], OTHER_SECRET, now=now)
    world.clock._now += HOUR
    await world.ended(await world.submit())
    await eventually(lambda: len(world.courier.sent) == 2)
    assert not is_signed(world.courier.sent[1], SECRET, now=later)
    assert is_signed(world.courier.sent[1], OTHER_SECRET, now=later)


async def test_a_thin_payload_tells_ids_only(world: World) -> None:
    from restante.core.endpoint import Detail

    await endpoint(world, payload=Detail.THIN)
    done = await world.ended(await world.submit())
    await becomes(world, lambda one: one.state is State.DELIVERED)
    assert payload(world.courier.sent[0])["data"] == {
        "id": done.id,
        "status": "completed",
        "sequence": 3,
        "previous_sequence": None,
    }


async def test_who_asks_for_all_is_told_all_and_sees_gaps(world: World) -> None:
    await endpoint(world, filters=Filters(status=ANY_STATUS))
    await world.ended(await world.submit())
    await eventually(lambda: len(world.courier.sent) == 3)
    data = sorted((payload(one)["data"] for one in world.courier.sent), key=lambda one: one["sequence"])
    assert [one["status"] for one in data] == ["pending", "processing", "completed"]
    assert [one["previous_sequence"] for one in data] == [None, 1, 2]


async def test_filters_are_about_status_operation_and_where_it_began(world: World) -> None:
    await endpoint(world, filters=Filters(status=(Status.FAILED,)))
    await endpoint(world, id="ep_2", filters=Filters(operation=("delete",)))
    await endpoint(world, id="ep_3", filters=Filters(trigger_endpoint=("pay*", "x")))
    await endpoint(world, OTHER, id="ep_4", filters=Filters(trigger_endpoint=("payment",)))
    await endpoint(world, OTHER, id="ep_5", tenant="other")
    await world.ended(await world.submit(path="/payments"))
    await eventually(lambda: bool(world.courier.sent))
    await quiet(world)
    assert [parcel.url for parcel in world.courier.sent] == [GOOD]
    assert (await delivery(world, id="ep_3")).state is State.DELIVERED


async def test_a_delivery_keeps_its_id_over_retries_and_follows_the_schedule(world: World) -> None:
    world.courier.script[GOOD] = lambda _: answered(500)
    await endpoint(world)
    await world.ended(await world.submit())
    first = await becomes(world, lambda one: one.tried == 1)
    await quiet(world)
    spans = []
    for tried, wait in enumerate(Settings().schedule[1:], start=1):
        one = await becomes(world, lambda one, tried=tried: one.tried == tried)  # type: ignore[misc]
        await quiet(world)
        assert one.due_at is not None
        span = one.due_at - world.clock.now()
        assert wait <= span <= wait * 1.2
        spans.append(span)
        await world.clock.advance(span)
        await quiet(world)
    dead = await becomes(world, lambda one: one.state is State.DEAD)
    assert (dead.id, dead.tried, dead.code) == (first.id, 10, 500)
    assert {header(parcel, b"webhook-id") for parcel in world.courier.sent} == {first.id.encode()}
    assert len({parcel.body for parcel in world.courier.sent}) == 1
    (log,) = await world.store.attempts([dead.number])
    numbers = [attempt.number for attempt in log]  # one that was taken in vain has a number, too
    assert (len(numbers), sorted({*numbers}), numbers[-1]) == (10, numbers, dead.attempt)
    assert {(attempt.code, attempt.carried) for attempt in log} == {(500, "answered")}


async def test_retry_after_is_honoured_and_bounded(world: World) -> None:
    for asked, waited in (
        (b"3600", HOUR),
        (b"99999999", DAY),
        (b"9" * 100, DAY),
        (b"1", 5 * SECOND),
        (b"soon", 5 * SECOND),
    ):
        world.courier.script[GOOD] = lambda _, asked=asked: answered(503, retry_after=asked)  # type: ignore[misc]
        if world.service.endpoints.one("ep_1") is None:
            await endpoint(world)
        await world.ended(await world.submit())
        one = await becomes(world, lambda one: one.tried == 1)
        assert one.due_at is not None
        assert waited <= one.due_at - world.clock.now() <= 6 * waited // 5


async def test_an_endpoint_that_is_gone_is_switched_off(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.courier.script[GOOD] = lambda _: answered(410)
    await endpoint(world)
    await world.ended(await world.submit())
    assert (await becomes(world, lambda one: one.state is State.DEAD)).code == 410
    await quiet(world)
    off = world.service.endpoints.one("ep_1")
    assert off is not None
    assert not off.active
    assert "410" in (off.reason or "")
    assert world.service.endpoints.switched_off == 1
    assert "ep_1" in caplog.text
    await world.ended(await world.submit())
    assert len(world.courier.sent) == 1


async def test_the_others_are_told_of_an_endpoint_that_was_switched_off(world: World) -> None:
    world.courier.script[GOOD] = lambda _: answered(410)
    await endpoint(world)
    await endpoint(world, OTHER, id="ep_2", filters=Filters(operation=("delete",)))
    await world.ended(await world.submit())
    await eventually(lambda: bool(world.courier.to(OTHER)))
    (parcel,) = world.courier.to(OTHER)
    told = payload(parcel)
    assert (told["type"], told["data"]["id"]) == ("endpoint.switched_off", "ep_1")
    await quiet(world)


async def test_they_are_told_on_a_clock_that_never_stands_still(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ticking:
        """A microsecond later at each look."""

        looks = 0

        def now(self) -> int:
            self.looks += 1
            return world.clock.now() + self.looks

    world.courier.script[GOOD] = lambda _: answered(410)
    await endpoint(world)
    await endpoint(world, OTHER, id="ep_2", filters=Filters(operation=("delete",)))
    monkeypatch.setattr(world.service.endpoints, "_clock", Ticking())
    await world.ended(await world.submit())
    async with asyncio.timeout(20):
        while not world.courier.to(OTHER):  # what is due is a little ahead of the world's clock
            await world.clock.advance(SECOND)
            await asyncio.sleep(0)
    await quiet(world)


async def test_an_endpoint_that_fails_for_days_is_switched_off_and_goes_on_when_it_is_on(
    world: World,
) -> None:
    world.courier.script[GOOD] = lambda _: TIMED_OUT
    await endpoint(world)
    sent, began = 0, world.clock.now()
    while not world.service.endpoints.switched_off:
        await world.ended(await world.submit())
        await eventually(lambda: len(world.courier.sent) > sent)  # noqa: B023
        await quiet(world)
        sent = len(world.courier.sent)
        await world.clock.advance(DAY)
        await quiet(world)
    assert world.clock.now() - began >= 5 * DAY
    await quiet(world)
    sent = len(world.courier.sent)
    await world.clock.advance(DAY)
    await quiet(world)
    assert len(world.courier.sent) == sent
    del world.courier.script[GOOD]
    await world.service.endpoints.change("ep_1", switched_on)
    await eventually(lambda: len(world.courier.sent) > sent)
    await quiet(world)
    one = world.service.endpoints.one("ep_1")
    assert one is not None
    assert (one.active, one.failing_since) == (True, None)


async def test_one_success_ends_the_count_of_days(world: World) -> None:
    await endpoint(world)
    world.courier.script[GOOD] = lambda _: answered(500)
    await world.ended(await world.submit())
    await becomes(world, lambda one: one.tried == 1)
    await quiet(world)
    failing = world.service.endpoints.one("ep_1")
    assert failing is not None
    assert failing.failing_since == world.clock.now()
    del world.courier.script[GOOD]
    await world.clock.advance(MINUTE)
    await becomes(world, lambda one: one.state is State.DELIVERED)
    await quiet(world)
    well = world.service.endpoints.one("ep_1")
    assert well is not None
    assert well.failing_since is None


async def test_a_request_is_told_at_its_own_url(world: World) -> None:
    one = await world.submit(headers={"Restante-Callback-Url": OTHER})
    two = await world.submit(body=b'{"notify":"https://other.example/two"}')
    await world.ended(one)
    await world.ended(two)
    await eventually(lambda: len(world.courier.sent) == 2)
    assert {parcel.url for parcel in world.courier.sent} == {OTHER, "https://other.example/two"}
    callbacks = world.service.endpoints.one(callbacks_id("default"))
    assert callbacks is not None
    now = world.clock.now()
    assert is_signed(world.courier.sent[0], callbacks.secrets[0], now=now)
    assert not is_signed(world.courier.sent[0], SECRET, now=now)
    await quiet(world)
    found = await world.store.deliveries(Sought(endpoint=callbacks.id))
    assert [one.state for one in found] == [State.DELIVERED] * 2


async def test_a_request_that_names_two_urls_is_told_at_both(world: World) -> None:
    body = b'{"notify":"https://other.example/two"}'
    one = await world.submit(headers={"Restante-Callback-Url": OTHER}, body=body)
    same = await world.submit(headers={"Restante-Callback-Url": "https://other.example/two"}, body=body)
    await world.ended(one)
    await world.ended(same)
    await eventually(lambda: len(world.courier.sent) == 3)
    await quiet(world)
    told = sorted((payload(one)["data"]["id"], one.url) for one in world.courier.sent)
    assert told == sorted([(one.id, OTHER), (one.id, f"{OTHER[:-5]}/two"), (same.id, f"{OTHER[:-5]}/two")])
    (again,) = await world.store.look([one.id])
    assert again is not None
    assert again.callbacks == (OTHER, "https://other.example/two")
    with pytest.raises(BadRequest) as caught:
        await world.submit(headers={"Restante-Callback-Url": OTHER}, body=b'{"notify":"http://10.0.0.1/"}')
    assert caught.value.field == "/notify"


async def test_callbacks_that_are_switched_off_are_not_written(world: World) -> None:
    one = await world.submit(headers={"Restante-Callback-Url": OTHER, "Restante-Delay": "1h"})
    id = callbacks_id("default")
    await world.service.endpoints.change(id, lambda one: switched_off(one, None))
    await world.service.cancel("default", one.id)
    await quiet(world)
    assert await world.store.deliveries(Sought(endpoint=id)) == []
    await world.service.endpoints.change(id, switched_on)
    two = await world.submit(headers={"Restante-Callback-Url": OTHER, "Restante-Delay": "1h"})
    await world.service.cancel("default", two.id)
    await eventually(lambda: len(world.courier.sent) == 1)
    assert payload(world.courier.sent[0])["data"]["id"] == two.id


async def test_a_url_that_webhooks_cannot_be_sent_to_is_refused_at_accept(world: World) -> None:
    with pytest.raises(BadRequest) as caught:
        await world.submit(headers={"Restante-Callback-Url": "http://10.0.0.1/"})
    assert caught.value.field == "Restante-Callback-Url"
    for body in (b'{"notify":"http://10.0.0.1/"}', b'{"notify":7}', b'{"notify":""}'):
        with pytest.raises(BadRequest) as caught:
            await world.submit(body=body)
        assert caught.value.field == "/notify"
    for body in (b"[]", b"no JSON", b'{"notify":null}'):
        assert (await world.submit(body=body)).callbacks == ()


async def test_a_hanging_receiver_has_its_own_places_and_nobody_elses(tmp_path: Path, upstream: str) -> None:
    settings = Settings(lane=2)
    async with a_world(tmp_path, upstream, webhooks=settings) as world:
        world.courier.hanging[OTHER] = asyncio.Event()
        await endpoint(world)
        await endpoint(world, OTHER, id="ep_2")
        for _ in range(6):
            await world.ended(await world.submit())
        await eventually(lambda: len(world.courier.to(GOOD)) == 6)
        await eventually(lambda: len(world.courier.to(OTHER)) == 2)
        assert world.courier.under_way[OTHER] == 2
        world.courier.hanging[OTHER].set()
        await quiet(world)
        assert len(world.courier.to(OTHER)) == 6
        assert world.courier.most[OTHER] == 2


async def called_back(world: World, *urls: str) -> None:
    """One transaction each that ends, and is told there."""
    for url in urls:
        await world.ended(await world.submit(headers={"Restante-Callback-Url": url}))


async def test_a_path_that_hangs_costs_no_other_path_of_its_origin(tmp_path: Path, upstream: str) -> None:
    async with a_world(tmp_path, upstream, webhooks=Settings(lane=2)) as world:
        hangs, answers = f"{GOOD}/1", [f"{GOOD}/2?order={number}" for number in range(6)]
        world.courier.hanging[hangs] = asyncio.Event()
        await called_back(world, *[hangs] * 6, *answers)
        await eventually(lambda: {one.url for one in world.courier.sent} == {hangs, *answers})
        assert world.courier.under_way[hangs] == 1
        world.courier.script[hangs] = lambda _: TIMED_OUT
        world.courier.hanging[hangs].set()
        await quiet(world)
        await called_back(world, *answers)
        await eventually(lambda: all(len(world.courier.to(url)) == 2 for url in answers))


async def test_an_origin_has_a_bound_on_what_is_tried_there(tmp_path: Path, upstream: str) -> None:
    async with a_world(tmp_path, upstream, webhooks=Settings(origin=10)) as world:
        dead = [f"{GOOD}/{number}" for number in range(12)]
        ever = asyncio.Event()
        world.courier.hanging = dict.fromkeys(dead, ever)
        world.courier.script = {url: lambda _: TIMED_OUT for url in dead}
        await called_back(world, *dead, OTHER)
        await eventually(lambda: bool(world.courier.to(OTHER)))
        await eventually(lambda: sum(world.courier.under_way[url] for url in dead) == 5)
        await called_back(world, f"{GOOD}/new")
        ever.set()
        await eventually(lambda: bool(world.courier.to(f"{GOOD}/new")))  # whatever came of the others
        await quiet(world)
        assert all(len(world.courier.to(url)) == 1 for url in dead)


async def test_an_endpoint_that_leads_elsewhere_or_is_tested_is_tried_at_once(world: World) -> None:
    world.courier.script[GOOD] = lambda _: TIMED_OUT
    one = await endpoint(world)
    for number in range(1, FAILURES + 1):
        await world.ended(await world.submit())
        await eventually(lambda number=number: len(world.courier.sent) == number)  # type: ignore[misc]
        await quiet(world)
    await world.ended(await world.submit())
    await quiet(world)
    assert len(world.courier.sent) == FAILURES
    await world.service.endpoints.change(one.id, lambda now: msgspec.structs.replace(now, url=OTHER))
    await eventually(lambda: len(world.courier.to(OTHER)) == 1)
    world.courier.script[OTHER] = world.courier.script[GOOD]
    for _ in range(FAILURES):
        await world.ended(await world.submit())
        await quiet(world)
    known = len(world.courier.to(OTHER))
    await world.ended(await world.submit())
    await quiet(world)
    assert len(world.courier.to(OTHER)) == known
    await calls.test(world.service, world.service.endpoints.of("default")[-1])
    await eventually(lambda: len(world.courier.to(OTHER)) > known)


async def test_what_was_well_goes_on_where_everything_else_of_its_origin_is_in_trouble(world: World) -> None:
    well, dead = f"{GOOD}/well", [f"{GOOD}/{number}" for number in range(FAILURES)]
    world.courier.script = {url: lambda _: TIMED_OUT for url in dead}
    await called_back(world, well, *dead)
    await eventually(lambda: {one.url for one in world.courier.sent} == {well, *dead})
    await quiet(world)
    await called_back(world, f"{GOOD}/new", well)
    await eventually(lambda: len(world.courier.to(well)) == 2)
    await eventually(lambda: bool(world.courier.to(f"{GOOD}/new")))


async def test_while_all_places_are_taken_nothing_is_asked_for(tmp_path: Path, upstream: str) -> None:
    async with a_world(tmp_path, upstream, webhooks=Settings(concurrency=1)) as world:
        world.courier.hanging[OTHER] = asyncio.Event()
        await endpoint(world, OTHER)
        await endpoint(world, id="ep_2")
        for _ in range(3):
            await world.ended(await world.submit())
        await eventually(lambda: world.courier.under_way[OTHER] == 1 and world.webhooks._taking is None)
        looks = 0
        wanted = world.webhooks._wanted

        def counted() -> tuple[dict[str, int], int | None]:
            nonlocal looks
            looks += 1
            return wanted()

        world.webhooks._wanted = counted  # type: ignore[method-assign]
        for _ in range(100):
            await asyncio.sleep(0)
        assert looks <= 1
        world.courier.hanging[OTHER].set()
        await quiet(world)
        assert len(world.courier.sent) == 6


async def test_a_receiver_in_trouble_is_left_alone_and_then_tried_with_one(world: World) -> None:
    world.courier.script[GOOD] = lambda _: TIMED_OUT
    await endpoint(world)
    for number in range(1, 2 * FAILURES + 1):
        await world.ended(await world.submit())
        await eventually(lambda number=number: len(world.courier.sent) >= min(number, FAILURES))  # type: ignore[misc]
        await quiet(world)
    assert len(world.courier.sent) == FAILURES
    await world.clock.advance(FIRST_PAUSE)
    await quiet(world)
    assert len(world.courier.sent) == FAILURES + 1  # it failed again
    del world.courier.script[GOOD]
    await world.clock.advance(2 * FIRST_PAUSE)
    await quiet(world)
    await eventually(lambda: len({header(one, b"webhook-id") for one in world.courier.sent}) == 2 * FAILURES)


async def test_an_attempt_that_nobody_settled_is_made_again_when_its_lease_ends(
    tmp_path: Path, upstream: str
) -> None:
    async with a_world(tmp_path, upstream) as world:
        await endpoint(world)
        world.courier.hanging[GOOD] = asyncio.Event()
        await world.ended(await world.submit())
        await eventually(lambda: world.courier.under_way[GOOD] == 1)
        lent = await delivery(world)
        clock = world.clock  # and the process ends
    assert lent.due_at is not None
    assert Settings().lease <= lent.due_at - clock.now() < Settings().lease + SECOND
    async with a_world(tmp_path, upstream, clock=clock) as world:
        await quiet(world)
        assert world.courier.sent == []
        await clock.advance(lent.due_at - clock.now())
        one = await becomes(world, lambda one: one.state is State.DELIVERED)
        assert (len(world.courier.sent), one.attempt > lent.attempt) == (1, True)


async def test_what_was_written_while_nobody_sent_is_sent_at_the_start(tmp_path: Path, upstream: str) -> None:
    async with a_world(tmp_path, upstream, send=False) as world:
        await endpoint(world)
        await world.ended(await world.submit())
        clock = world.clock
    async with a_world(tmp_path, upstream, clock=clock) as world:
        await becomes(world, lambda one: one.state is State.DELIVERED)


async def test_an_endpoint_that_is_off_gets_nothing_and_what_waited_waits(world: World) -> None:
    world.courier.script[GOOD] = lambda _: answered(500)
    await endpoint(world)
    await world.ended(await world.submit())
    await becomes(world, lambda one: one.tried == 1)
    await world.service.endpoints.change("ep_1", lambda one: switched_off(one, None))
    await world.ended(await world.submit())
    await world.clock.advance(DAY)
    await quiet(world)
    assert len(world.courier.sent) == 1
    assert world.service.endpoints.switched_off == 0


async def test_what_waits_for_an_endpoint_that_was_removed_is_given_up(world: World) -> None:
    world.courier.script[GOOD] = lambda _: answered(500)
    one = await endpoint(world)
    await world.ended(await world.submit())
    await becomes(world, lambda one: one.tried == 1)
    await world.service.endpoints.remove(one)
    await world.clock.advance(MINUTE)
    dead = await becomes(world, lambda one: one.state is State.DEAD)
    (log,) = await world.store.attempts([dead.number])
    assert log[-1].reason == "the endpoint was removed"
    assert len(world.courier.sent) == 1


async def test_a_delivery_is_replayed_under_its_id_with_the_whole_schedule(world: World) -> None:
    await endpoint(world)
    await world.ended(await world.submit())
    one = await becomes(world, lambda one: one.state is State.DELIVERED)
    await calls.replay(world.service, one)
    again = await becomes(world, lambda now: now.attempt > one.attempt and now.state is State.DELIVERED)
    assert [header(parcel, b"webhook-id") for parcel in world.courier.sent] == [again.id.encode()] * 2
    with pytest.raises(NotNow):
        await calls.replay(world.service, one)
    waiting = msgspec.structs.replace(again, state=State.WAITING)
    with pytest.raises(NotNow):
        await calls.replay(world.service, waiting)


async def test_what_fits_is_replayed_at_once(world: World) -> None:
    world.courier.script[GOOD] = lambda _: answered(410)
    await endpoint(world)
    for _ in range(3):
        await world.service.endpoints.change("ep_1", switched_on)
        await world.ended(await world.submit())
        await becomes(world, lambda one: one.state is State.DEAD)
        await quiet(world)
    await world.service.endpoints.change("ep_1", switched_on)
    del world.courier.script[GOOD]
    sought = Sought(endpoint="ep_1", state=State.DEAD)
    assert await calls.replay_all(world.service, sought) == (3, False)
    await quiet(world)
    await eventually(lambda: len(world.courier.sent) == 6)
    await quiet(world)
    assert len(await world.store.deliveries(Sought(endpoint="ep_1", state=State.DELIVERED))) == 3


async def test_the_test_button_sends_whatever_the_filters_say(world: World) -> None:
    one = await endpoint(world, filters=Filters(operation=("delete",)))
    await calls.test(world.service, one)
    await becomes(world, lambda one: one.state is State.DELIVERED)
    assert payload(world.courier.sent[0])["type"] == "endpoint.test"
    with pytest.raises(NotNow):
        await calls.test(world.service, switched_off(one, None))


async def test_the_first_of_an_answer_is_kept_with_its_attempt(world: World) -> None:
    world.courier.script[GOOD] = lambda _: answered(200, answer=b"x" * 3000)
    await endpoint(world)
    await world.ended(await world.submit())
    one = await becomes(world, lambda one: one.state is State.DELIVERED)
    (log,) = await world.store.attempts([one.number])
    assert [attempt.answer for attempt in log] == [b"x" * 1024]


async def test_a_deadline_that_passes_is_told(world: World) -> None:
    await endpoint(world)
    pending = await world.submit(headers={"Restante-Delay": "1h", "Restante-Deadline": "2h"})
    await world.clock.advance(0)
    await world.service.expire(msgspec.structs.replace(pending))
    world.clock._now += 2 * HOUR
    await world.service.expire(pending)
    await eventually(lambda: len(world.courier.sent) == 1)
    assert payload(world.courier.sent[0])["data"]["outcome"] == "expired"


async def test_a_cancellation_is_told(world: World) -> None:
    await endpoint(world)
    pending = await world.submit(headers={"Restante-Delay": "1h"})
    await world.service.cancel("default", pending.id)
    await eventually(lambda: len(world.courier.sent) == 1)
    assert payload(world.courier.sent[0])["type"] == "transaction.cancelled"


async def test_an_address_that_became_refused_is_tried_by_the_schedule(world: World) -> None:
    world.courier.script[GOOD] = lambda _: Receipt(Carried.REFUSED, "the address is not public")
    await endpoint(world)
    await world.ended(await world.submit())
    one = await becomes(world, lambda one: one.tried == 1)
    assert one.code is None
    await quiet(world)
