"""What can be done from a page: asked first, done once, said plainly where it cannot be."""

import pytest

from restante.core import change
from restante.core.clock import SECOND
from restante.core.delivery import Attempt, Delivery, State, give_up, send
from restante.core.endpoint import Endpoint, lane_of
from restante.core.status import Outcome, Status

from ..gateway.house import House
from .visitor import Visitor, hidden, text


@pytest.fixture
def visitor(house: House) -> Visitor:
    return Visitor(house)


async def an_endpoint(house: House, id: str = "ep_1", tenant: str = "default") -> Endpoint:
    now = house.clock.now()
    return await house.service.endpoints.add(
        Endpoint(
            id=id,
            tenant=tenant,
            url="https://shop.example/hooks",
            created_at=now,
            updated_at=now,
            secrets=("whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0",),
        )
    )


async def a_dead_letter(house: House, endpoint: Endpoint) -> Delivery:
    now = house.clock.now()
    made = Delivery(
        id=house.service.endpoints.mint(),
        tenant=endpoint.tenant,
        endpoint=endpoint.id,
        lane=lane_of(endpoint.id, None),
        body=b"{}",
        due_at=now,
        created_at=now,
    )
    await house.store.post([made])
    (errand,) = await house.store.take({made.lane: 1}, now, now + SECOND)
    assert (
        errand.delivery == send(errand.delivery, until=now + SECOND) or errand.delivery.state is State.SENDING
    )
    attempt = Attempt(
        number=1,
        at=now,
        duration=25_000,
        carried="answered",
        reason="answered 500",
        code=500,
        answer=b"card 4200000000000000 <b>no</b>",
    )
    assert await house.store.settle([give_up(errand.delivery, now=now, attempt=attempt)]) == [True]
    (found,) = await house.store.look_deliveries([made.id])
    assert found is not None
    return found


async def test_it_is_asked_before_anything_is_cancelled(house: House, visitor: Visitor) -> None:
    id = await house.submit()
    target = f"/-/ui/transactions/{id}"
    assert f"{target}/cancel" in (await visitor.get(target)).body.decode()
    asked = await visitor.get(f"{target}/cancel")
    assert "This cannot be taken back" in text(asked)
    assert (await house.find(id)).status is Status.PENDING
    seen = await visitor.submit(f"{target}/cancel")
    assert (seen.code, seen.header("location")) == (303, target)
    assert (await house.find(id)).status is Status.CANCELLED
    told = (await visitor.get(target)).body.decode()
    assert f"{target}/cancel" not in told
    assert "cancelled" in told


async def test_what_is_too_late_is_said(house: House, visitor: Visitor) -> None:
    id = await house.submit()
    form = hidden(await visitor.get(f"/-/ui/transactions/{id}/cancel"))
    await house.begin(id)
    seen = await visitor.post(f"/-/ui/transactions/{id}/cancel", form)
    assert (seen.code, "It is too late to cancel" in text(seen)) == (409, True)
    for action, why in (("cancel", "It is too late to cancel"), ("retry", "has not ended")):
        for seen in (
            await visitor.get(f"/-/ui/transactions/{id}/{action}"),
            await visitor.post(f"/-/ui/transactions/{id}/{action}", form),
        ):
            assert (seen.code, why in text(seen), b"<button>" in seen.body) == (409, True, False), action


async def test_what_is_over_is_not_offered_to_be_cancelled(house: House, visitor: Visitor) -> None:
    done, stopped = await house.submit(), await house.submit()
    await house.end(done)
    await house.service.cancel("default", stopped)
    for id, why in ((done, "too late to cancel"), (stopped, "cancelled already")):
        seen = await visitor.get(f"/-/ui/transactions/{id}/cancel")
        assert (seen.code, why in text(seen)) == (409, True)


async def test_cancelling_what_an_upstream_has_taken_over_says_what_it_does_not_do(
    house: House, visitor: Visitor
) -> None:
    id = await house.submit()
    begun, now = await house.begin(id), house.clock.now()
    await house.service.change(begun, lambda t: change.defer(t, attempt=1, now=now))
    asked = text(await visitor.get(f"/-/ui/transactions/{id}/cancel"))
    assert "has taken POST /payments over already" in asked
    assert "Only the waiting for it ends here." in asked
    assert "will not be sent" not in asked


async def test_a_retry_of_what_may_be_done_already_warns(house: House, visitor: Visitor) -> None:
    unknown, refused, done = [await house.submit() for _ in range(3)]
    begun, now = await house.begin(unknown), house.clock.now()
    await house.service.change(
        begun,
        lambda t: change.fail(t, attempt=1, now=now, outcome=Outcome.INTERRUPTED, data={}, doubtful=True),
    )
    await house.end(refused, 422)
    await house.end(done)
    told = [text(await visitor.get(f"/-/ui/transactions/{id}/retry")) for id in (unknown, refused, done)]
    assert ["Nobody knows whether" in one for one in told] == [True, False, False]
    assert ["does it once more" in one for one in told] == [False, False, True]


async def test_a_retry_is_made_once_however_often_its_form_is_sent(house: House, visitor: Visitor) -> None:
    id = await house.submit()
    await house.end(id, 500)
    target = f"/-/ui/transactions/{id}/retry"
    form = hidden(await visitor.get(target))
    first, again = await visitor.post(target, form), await visitor.post(target, form)
    assert (first.code, first.header("location")) == (303, again.header("location"))
    new = (first.header("location") or "").rpartition("/")[2]
    assert (await house.find(new)).retry_of == id
    other = await visitor.submit(target)
    assert other.header("location") != first.header("location")
    assert f"Retry of {id[:8].upper()}" in text(await visitor.get(first.header("location") or ""))


async def test_a_dead_letter_is_shown_and_sent_again(house: House, visitor: Visitor) -> None:
    letter = await a_dead_letter(house, await an_endpoint(house))
    for target in ("/-/ui/dead", "/-/ui/endpoints/ep_1", "/-/ui/endpoints/ep_1?state=dead"):
        assert f"/-/ui/deliveries/{letter.id}" in (await visitor.get(target)).body.decode(), target
    assert "waiting" not in text(await visitor.get("/-/ui/endpoints/ep_1?state=dead")).partition("Answer")[2]
    page = await visitor.get(f"/-/ui/deliveries/{letter.id}")
    assert "card 420000******0000 <b>no</b>" in text(page)
    assert b"<b>no" not in page.body
    seen = await visitor.submit(f"/-/ui/deliveries/{letter.id}/replay")
    assert (seen.code, seen.header("location")) == (303, f"/-/ui/deliveries/{letter.id}")
    (found,) = await house.store.look_deliveries([letter.id])
    assert found is not None
    assert found.state is State.WAITING
    again = await visitor.submit(f"/-/ui/deliveries/{letter.id}/replay")
    assert (again.code, "not over" in text(again)) == (409, True)
    assert "None: everything has arrived" in text(await visitor.get("/-/ui/dead"))


async def test_what_is_held_back_says_so_and_until_when(house: House, visitor: Visitor) -> None:
    letter = await a_dead_letter(house, await an_endpoint(house))
    await visitor.submit(f"/-/ui/deliveries/{letter.id}/replay")
    target = f"/-/ui/deliveries/{letter.id}"
    assert "Held back" not in text(await visitor.get(target))
    house.service.endpoints.spared_until = lambda lane: house.clock.now() + SECOND * (lane == letter.lane)
    assert "Held back until 2024-11-08 11:49:36 UTC" in text(await visitor.get(target))
    house.clock._now += SECOND
    house.service.endpoints.spared_until = lambda lane: house.clock.now()
    told = text(await visitor.get(target))
    assert "Held back" not in told
    assert "Due since" in told


async def test_an_endpoint_whose_last_delivery_is_dead_is_not_well(house: House, visitor: Visitor) -> None:
    endpoint = await an_endpoint(house)
    assert "Endpoint ○ unused" in text(await visitor.get("/-/ui/endpoints/ep_1"))
    await a_dead_letter(house, endpoint)
    assert "Endpoint ✕ failing" in text(await visitor.get("/-/ui/endpoints/ep_1"))
    await visitor.submit("/-/ui/endpoints/ep_1/replay")
    assert "Endpoint ◐ trying" in text(await visitor.get("/-/ui/endpoints/ep_1"))


async def test_all_dead_letters_of_an_endpoint_are_sent_again(house: House, visitor: Visitor) -> None:
    endpoint = await an_endpoint(house)
    letters = [await a_dead_letter(house, endpoint) for _ in range(3)]
    assert "3" in text(await visitor.get("/-/ui/endpoints"))
    seen = await visitor.submit("/-/ui/endpoints/ep_1/replay")
    assert (seen.code, seen.header("location")) == (303, "/-/ui/endpoints/ep_1")
    found = await house.store.look_deliveries([letter.id for letter in letters])
    assert [one.state for one in found if one] == [State.WAITING] * 3


async def test_another_tenants_webhooks_are_unknown(house: House) -> None:
    letter = await a_dead_letter(house, await an_endpoint(house, "ep_2", "other"))
    visitor = Visitor(house)
    for target in (f"/-/ui/deliveries/{letter.id}", "/-/ui/endpoints/ep_2", "/-/ui/endpoints/ep_2/replay"):
        assert (await visitor.get(target)).code == 404
    assert "shop.example" not in (await visitor.get("/-/ui/endpoints")).body.decode()
    assert "shop.example" not in (await visitor.get("/-/ui/dead")).body.decode()


async def test_a_transaction_shows_what_was_sent_of_it(house: House, visitor: Visitor) -> None:
    await an_endpoint(house)
    id = await house.submit()
    await house.end(id)
    told = text(await visitor.get(f"/-/ui/transactions/{id}"))
    assert "https://shop.example/hooks ○ waiting" in told


async def test_an_upstream_is_paused_and_resumed(house: House, visitor: Visitor) -> None:
    seen = await visitor.submit("/-/ui/upstreams/default/pause")
    assert (seen.code, seen.header("location")) == (303, "/-/")
    assert house.service.pauses.names == {"default"}
    assert "paused" in text(await visitor.get("/-/"))
    await visitor.submit("/-/ui/upstreams/default/resume")
    assert house.service.pauses.names == frozenset()
    assert (await visitor.get("/-/ui/upstreams/odd/pause")).code == 404
