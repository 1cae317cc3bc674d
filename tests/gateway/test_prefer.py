"""Dialect `prefer` on the wire (RFC 7240): `Prefer: respond-async` on a plain path."""

import asyncio
from typing import Any

import pytest

from restante.core.clock import SECOND
from restante.core.errors import StoreUnavailable
from restante.core.policy import Route
from restante.core.status import Dialect, Outcome

from ..world import eventually
from .conftest import MakeHouse
from .house import House
from .test_native import FIELDS
from .wire import Seen

ASYNC = {"Prefer": "respond-async"}
WAITING = {"Prefer": "respond-async, wait=10"}


def id_of(seen: Seen) -> str:
    return (seen.header("location") or "").rpartition("/")[2]


async def submit(house: House, headers: dict[str, str], body: bytes = b"{}") -> Seen:
    wire = await house.wire()
    return await wire.ask("POST", "/payments?a=1", headers, body)


async def waited(house: House) -> tuple["asyncio.Task[Seen]", str]:
    """A submit that waits, and its transaction."""
    asking = asyncio.create_task(submit(house, WAITING))
    await eventually(house.clock.waited_for)
    (id,) = house.service.waiting._watches
    return asking, id


async def test_it_is_accepted_and_pointed_to_the_native_api(house: House) -> None:
    seen = await submit(house, ASYNC)
    id = id_of(seen)
    assert seen.code == 202
    assert seen.header("location") == f"http://127.0.0.1:{house.port}/-/transactions/{id}"
    assert seen.header("preference-applied") == "respond-async"
    assert seen.header("vary") == "Prefer"
    assert seen.header("retry-after") == "1"
    assert seen.header("restante-status") == "pending"
    assert list(seen.json) == FIELDS
    assert (seen.json["id"], seen.json["dialect"]) == (id, "prefer")
    stored = await house.find(id)
    assert (stored.method, stored.path, stored.query) == ("POST", "/payments", "a=1")
    assert (await house.ask("GET", f"/-/transactions/{id}")).json["status"] == "pending"
    assert house.upstream.came == []


async def test_the_upstream_sees_the_other_preferences_only(house: House) -> None:
    for given, passed in ((WAITING["Prefer"], []), ("return=minimal, respond-async", [b"return=minimal"])):
        seen = await submit(house, {"Prefer": given.replace(", wait=10", "")})
        (request,) = await house.store.requests([(await house.find(id_of(seen))).key])
        assert request is not None
        assert [value for name, value in request.headers if name == b"prefer"] == passed


@pytest.mark.parametrize("prefer", ["wait=5", "respond-asynchronously", "respond-async=1", ""])
async def test_without_the_preference_it_goes_straight_through(house: House, prefer: str) -> None:
    seen = await submit(house, {"Prefer": prefer})
    assert (seen.code, seen.body) == (200, b"ok")


async def test_other_rooms_come_first(make_house: MakeHouse) -> None:
    route = Route(method="POST", path="/t", dialect=Dialect.TRANSACTION, transactions="/transactions")
    house = await make_house(routes=[route])
    assert "transaction_id" in (await house.ask("POST", "/t", ASYNC)).json
    assert "request_id" in (await house.ask("POST", "/async/x", ASYNC)).json
    assert (await house.ask("GET", "/transactions", ASYNC)).code == 200
    assert (await house.ask("GET", "/-/healthz", ASYNC)).code == 200
    assert (await house.ask("GET", "/async/status/x", ASYNC)).code == 404
    assert (await house.ask("GET", "/transaction", ASYNC)).code == 202


async def test_where_the_native_api_is_elsewhere_the_preference_is_not_granted(make_house: MakeHouse) -> None:
    house = await make_house()
    wire = await house.wire(await house.serve(native=False))
    assert (await wire.ask("POST", "/x", ASYNC, b"")).body == b"ok"


@pytest.mark.parametrize("code", [200, 404, 500])
async def test_with_wait_the_real_answer_is_given_verbatim(house: House, code: int) -> None:
    asking, id = await waited(house)
    await house.end(id, code, b"\x00the answer", ((b"X-A", b"1"),))
    seen = await asking
    assert (seen.code, seen.body) == (code, b"\x00the answer")
    assert seen.headers[:2] == [("x-a", b"1"), ("content-length", b"11")]
    assert seen.header("preference-applied") == "wait=10"
    assert seen.header("restante-status") is None
    again = await house.ask("GET", f"/-/transactions/{id}/result")
    assert again.body == seen.body  # it is not used up


async def test_when_the_wait_is_over_it_is_the_202(house: House) -> None:
    asking, id = await waited(house)
    await house.begin(id)
    await house.clock.advance(10 * SECOND)
    seen = await asking
    assert (seen.code, id_of(seen), seen.json["status"]) == (202, id, "processing")
    assert seen.header("preference-applied") == "respond-async"


@pytest.mark.sound_store("its own store fails")
@pytest.mark.parametrize("method", ["look", "events"])
async def test_what_is_accepted_is_never_refused_after(
    house: House, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Else it would be sent, and done, once more."""

    async def refusing(*what: object, **how: object) -> None:
        raise StoreUnavailable("the disk is full")

    if method == "look":
        monkeypatch.setattr(house.store, method, refusing)
        seen = await submit(house, WAITING)
    else:
        asking, id = await waited(house)
        monkeypatch.setattr(house.store, method, refusing)
        await house.breaks(id, Outcome.UNREACHABLE)
        seen = await asking
        assert id_of(seen) == id
    assert (seen.code, bool(id_of(seen))) == (202, True)


@pytest.mark.sound_store("an answer that the store refuses is a 202, which is another test's")
@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.UNREACHABLE, 502),
        (Outcome.INTERRUPTED, 502),
        (Outcome.TIMED_OUT, 504),
        (Outcome.EXPIRED, 504),
    ],
)
async def test_a_broken_end_is_told_as_on_plain_paths(house: House, outcome: Outcome, code: int) -> None:
    asking, id = await waited(house)
    await house.breaks(id, outcome)
    seen = await asking
    assert (seen.code, list(seen.json)) == (code, ["message"])
    assert seen.header("restante-status") == "failed"
    assert (seen.header("restante-outcome"), seen.header("restante-outcome-unknown")) == (outcome, "false")


async def test_one_that_is_cancelled_meanwhile_is_the_202(house: House) -> None:
    asking, id = await waited(house)
    await house.ask("POST", f"/-/transactions/{id}/cancel")
    seen = await asking
    assert (seen.code, seen.json["status"]) == (202, "cancelled")


async def test_same_key_same_transaction_and_its_answer_as_often_as_it_is_asked_for(house: House) -> None:
    first = await submit(house, {**ASYNC, "Idempotency-Key": "k"})
    second = await submit(house, {**ASYNC, "Idempotency-Key": "k"})
    assert (second.code, id_of(second)) == (202, id_of(first))
    assert (first.header("idempotent-replayed"), second.header("idempotent-replayed")) == (None, "true")
    await house.end(id_of(first), 500, b"the error")
    for _ in range(2):
        third = await submit(house, {**WAITING, "Idempotency-Key": "k"})
        assert (third.code, third.body) == (500, b"the error")
        assert third.header("idempotent-replayed") == "true"
    assert (await submit(house, {**ASYNC, "Idempotency-Key": "k"}, b"other")).code == 422


async def test_request_options_count(house: House) -> None:
    seen = await submit(house, {**ASYNC, "Restante-Delay": "90s", "Restante-Tracking-Id": "t"})
    assert (seen.header("retry-after"), seen.json["tracking_id"]) == ("90", "t")
    bad = await submit(house, {**ASYNC, "Restante-Delay": "soon"})
    assert (bad.code, bad.json["field"]) == (400, "Restante-Delay")


@pytest.mark.sound_store("leaves without an answer, so that it cannot ask again")
async def test_who_leaves_while_waiting_is_forgotten_and_the_work_goes_on(house: House) -> None:
    wire = await house.wire()
    wire.request("POST", "/payments", WAITING, b"{}")
    await eventually(house.clock.waited_for)
    (id,) = house.service.waiting._watches
    wire.leave()
    await eventually(lambda: len(house.service.waiting) == 0)
    await house.end(id)


async def test_when_the_process_drains_who_waits_gets_the_202(house: House) -> None:
    asking, _ = await waited(house)
    house.service.drain()
    assert (await asking).code == 202


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PURGE"])
async def test_any_method_may_prefer_it(house: House, method: str) -> None:
    seen: Any = await house.ask(method, "/x", ASYNC)
    assert seen.code == 202
    assert (await house.find(id_of(seen))).method == method


@pytest.mark.parametrize("given", [((b"Content-Length", b"1234"),), ()])
async def test_a_head_that_is_waited_for_says_the_size_that_the_upstream_said(
    house: House, given: tuple[tuple[bytes, bytes], ...]
) -> None:
    wire = await house.wire()
    wire.request("HEAD", "/report", WAITING)
    await eventually(house.clock.waited_for)
    (id,) = house.service.waiting._watches
    await house.end(id, 200, b"", given)
    for seen in (await wire.answer("HEAD"), await house.ask("HEAD", f"/-/transactions/{id}/result")):
        assert (seen.code, seen.body) == (200, b"")
        assert seen.header("content-length") == (given[0][1].decode() if given else None)
    assert (await house.ask("GET", f"/-/transactions/{id}/result")).header("content-length") == "0"
    assert (await wire.ask("GET", "/-/healthz")).code == 200  # the connection goes on
