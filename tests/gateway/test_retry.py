"""`POST /-/transactions/{id}/retry`: the same request as a new transaction that names the old one."""

from typing import Any

import pytest

from restante.core import change
from restante.core.clock import DAY, SECOND
from restante.core.headers import first
from restante.core.model import Transaction
from restante.core.policy import Limits
from restante.core.status import Dialect, Outcome, Status

from .conftest import MakeHouse
from .house import House
from .test_native import is_problem
from .wire import Seen


async def again(house: House, id: str, **headers: str) -> Seen:
    wire = await house.wire()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return await wire.ask("POST", f"/-/transactions/{id}/retry", fields, b"")


async def kept(house: House, id: str) -> dict[bytes, bytes]:
    (request,) = await house.store.requests([(await house.find(id)).key])
    assert request is not None
    return dict(request.headers)


async def fails_in_doubt(house: House, id: str) -> Transaction:
    started = await house.begin(id)
    now = house.clock.now()
    return await house.service.change(
        started,
        lambda t: change.fail(t, attempt=1, now=now, outcome=Outcome.INTERRUPTED, data={}, doubtful=True),
    )


async def test_a_retry_is_a_new_transaction_that_names_the_old_one(house: House) -> None:
    id = await house.submit("/async/payments?a=1", Restante_Tracking_Id="order 7", X_Shop="361")
    old = await house.end(id, 500)
    seen = await again(house, id)
    assert seen.code == 202
    new = seen.json
    assert seen.header("location") == f"/-/transactions/{new['id']}"
    assert (new["retry_of"], new["status"]) == (id, "pending")
    assert new["id"] != id
    for name in ("method", "path", "query", "tracking_id", "operation", "dialect", "priority"):
        assert new[name] == getattr(old, name)
    found = await house.find(new["id"])
    (request,) = await house.store.requests([found.key])
    assert request is not None and request.body.inline == b"{}"
    assert (await kept(house, new["id"]))[b"x-shop"] == b"361"
    assert (await house.ask("GET", f"/-/transactions/{new['id']}")).json["retry_of"] == id


async def test_the_old_one_gets_no_event(house: House) -> None:
    id = await house.submit()
    old = await house.end(id, 500)
    await again(house, id)
    assert await house.find(id) == old


async def test_only_what_has_ended_can_be_retried(house: House) -> None:
    id = await house.submit()
    assert is_problem(await again(house, id), 409)
    await house.begin(id)
    assert is_problem(await again(house, id), 409)
    assert is_problem(await again(house, "nobody"), 404)


@pytest.mark.parametrize("end", ["completed", "cancelled"])
async def test_completed_and_cancelled_ones_can_be_retried(house: House, end: str) -> None:
    id = await house.submit()
    if end == "completed":
        await house.end(id)
    else:
        await house.ask("POST", f"/-/transactions/{id}/cancel")
    assert (await again(house, id)).code == 202


async def test_the_first_callers_credentials_are_not_used_again(house: House) -> None:
    id = await house.submit(Authorization="Basic first", Cookie="a=1")
    await house.end(id, 500)
    bare = (await again(house, id)).json["id"]
    assert not {b"authorization", b"cookie"} & (await kept(house, bare)).keys()
    own = (await again(house, id, Authorization="Basic second")).json["id"]
    assert (await kept(house, own))[b"authorization"] == b"Basic second"


async def test_after_an_unknown_outcome_the_upstream_gets_the_old_key(house: House) -> None:
    id = await house.submit()
    await fails_in_doubt(house, id)
    new = (await again(house, id)).json["id"]
    assert (await kept(house, new))[b"idempotency-key"] == id.encode()
    await house.service.cancel("default", new)
    third = (await again(house, new)).json["id"]
    assert (await kept(house, third))[b"idempotency-key"] == id.encode()


async def test_after_an_unknown_outcome_the_callers_own_key_stays(house: House) -> None:
    id = await house.submit(Idempotency_Key="mine")
    await fails_in_doubt(house, id)
    new = (await again(house, id)).json["id"]
    assert (await kept(house, new))[b"idempotency-key"] == b"mine"


async def test_after_an_answer_the_upstream_gets_a_new_key(house: House) -> None:
    id = await house.submit(Idempotency_Key="mine")
    await house.end(id, 500)
    new = (await again(house, id)).json["id"]
    assert first(tuple((await kept(house, new)).items()), b"idempotency-key") is None


async def test_a_retry_with_a_key_of_its_own_is_made_once(house: House) -> None:
    id = await house.submit()
    await house.end(id, 500)
    seen = [await again(house, id, Idempotency_Key="click-1") for _ in range(2)]
    assert seen[0].json["id"] == seen[1].json["id"]
    assert seen[1].header("idempotent-replayed") == "true"
    assert (await again(house, id)).json["id"] != seen[0].json["id"]


async def test_a_request_past_its_retention_is_gone(house: House) -> None:
    id = await house.submit()
    await house.end(id, 500)
    await house.clock.advance(DAY)
    assert is_problem(await again(house, id), 410)


async def test_a_large_body_is_sent_again_whole(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(inline_body=1000, chunk=1000))
    body = bytes(range(256)) * 40
    wire = await house.wire()
    id = (await wire.ask("POST", "/async/payments", {}, body)).json["request_id"]
    old = await house.end(id, 500)
    new = await house.find((await again(house, id)).json["id"])
    await house.store.purge([old], [])
    (request,) = await house.store.requests([new.key])
    assert request is not None and request.body.inline is None
    assert b"".join([piece async for piece in house.service.read_request(new, request)]) == body


async def test_request_options_of_the_retry_call_count(house: House) -> None:
    id = await house.submit()
    await house.end(id, 500)
    new = await house.find((await again(house, id, Restante_Delay="10s", Restante_Priority="7")).json["id"])
    assert (new.due_at, new.priority) == (house.clock.now() + 10 * SECOND, 7)
    refused = await again(house, id, Restante_Delay="soon")
    assert is_problem(refused, 400) and refused.json["field"] == "Restante-Delay"


async def test_an_error_that_was_read_can_be_retried(house: House) -> None:
    id = await house.submit()
    await house.end(id, 422)
    await house.ask("GET", f"/async/result/{id}")
    new: dict[str, Any] = (await again(house, id)).json
    assert new["dialect"] == Dialect.TASK and new["status"] == Status.PENDING
