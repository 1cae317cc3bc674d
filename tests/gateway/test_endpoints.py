"""Endpoints and deliveries below `/-/`, and the feed."""

import asyncio
import base64
import json
from contextlib import suppress
from typing import Any

import pytest

from restante.assembly.serve import new_key
from restante.core import change
from restante.core.clock import DAY, HOUR, SECOND
from restante.core.errors import BadRequest
from restante.core.policy import Webhooks
from restante.webhooks import SignatureRefused, verify
from restante.webhooks.webhooks import Webhooks as Room

from ..couriers import answered, header, payload
from ..world import eventually
from .house import House
from .test_native import is_problem
from .wire import Seen

URL = "https://a.example/hook"


async def ask(house: House, method: str, target: str, content: Any = None) -> Seen:
    wire = await house.wire()
    return await wire.ask(method, target, {}, b"" if content is None else json.dumps(content).encode())


async def made(house: House, **fields: Any) -> dict[str, Any]:
    seen = await ask(house, "POST", "/-/endpoints", {"url": URL, **fields})
    assert seen.code == 201, seen.body
    one: dict[str, Any] = seen.json
    return one


async def sending(house: House) -> Room:
    room = Room()
    room.start(house.service)
    return room


async def test_an_endpoint_is_made_and_its_secret_is_shown_once(house: House) -> None:
    seen = await ask(house, "POST", "/-/endpoints", {"url": URL})
    one = seen.json
    assert list(one) == [
        "id",
        "url",
        "active",
        "reason",
        "filters",
        "payload",
        "signature",
        "failing_since",
        "second_secret_until",
        "created_at",
        "updated_at",
        "secret",
    ]
    assert seen.header("location") == f"/-/endpoints/{one['id']}"
    assert one["secret"].startswith("whsec_")
    assert one["filters"] == {
        "status": ["completed", "failed", "cancelled"],
        "operation": [],
        "trigger_endpoint": [],
    }
    del one["secret"]
    assert (await ask(house, "GET", f"/-/endpoints/{one['id']}")).json == one
    assert (await ask(house, "GET", "/-/endpoints")).json == {"endpoints": [one]}
    assert is_problem(await ask(house, "GET", f"/-/endpoints/{one['id']}/secret"), 404)


async def test_a_field_that_is_wrong_is_named(house: House) -> None:
    for content, field in (
        ([], "body"),
        ({}, "url"),
        ({"url": 7}, "url"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "https://a.example/" + "x" * 2000}, "url"),
        ({"url": URL, "paylod": "full"}, "paylod"),
        ({"url": URL, "payload": "fat"}, "payload"),
        ({"url": URL, "signature": "none"}, "signature"),
        ({"url": URL, "username": "a"}, "username"),
        ({"url": URL, "filters": []}, "filters"),
        ({"url": URL, "filters": {"statuses": []}}, "filters.statuses"),
        ({"url": URL, "filters": {"status": []}}, "filters.status"),
        ({"url": URL, "filters": {"status": "done"}}, "filters.status"),
        ({"url": URL, "filters": {"operation": ["buy"]}}, "filters.operation"),
        ({"url": URL, "filters": {"trigger_endpoint": ["a*b"]}}, "filters.trigger_endpoint"),
        ({"url": URL, "filters": {"trigger_endpoint": ["a\0"]}}, "filters.trigger_endpoint"),
        ({"url": URL, "filters": {"operation": ["create\0"]}}, "filters.operation"),
    ):
        seen = await ask(house, "POST", "/-/endpoints", content)
        assert is_problem(seen, 400), content
        assert seen.json["field"] == field
    assert house.service.endpoints.of("default") == ()


async def test_a_tenant_has_so_many_endpoints_at_most(house: House) -> None:
    house.service.endpoints._settings = Webhooks(endpoints=2)
    await made(house)
    await made(house)
    assert is_problem(await ask(house, "POST", "/-/endpoints", {"url": URL}), 409)


async def test_an_endpoint_is_changed_switched_and_removed(house: House) -> None:
    place = f"/-/endpoints/{(await made(house))['id']}"
    house.clock._now += SECOND
    seen = await ask(house, "PATCH", place, {"payload": "thin", "filters": {"status": "all"}})
    assert (seen.json["payload"], seen.json["filters"]["status"], seen.json["url"]) == ("thin", "all", URL)
    assert seen.json["updated_at"] > seen.json["created_at"]
    assert not (await ask(house, "PATCH", place, {"active": False})).json["active"]
    assert is_problem(await ask(house, "POST", f"{place}/test"), 409)
    assert (await ask(house, "PATCH", place, {"active": True})).json["active"]
    for content, field in (({}, "body"), ({"url": "http://10.1.1.1"}, "url"), ({"secret": "x"}, "secret")):
        seen = await ask(house, "PATCH", place, content)
        assert (is_problem(seen, 400), seen.json["field"]) == (True, field)
    assert (await ask(house, "DELETE", place)).code == 204
    for method, what in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")):
        seen = await ask(house, method, place + what)
        assert is_problem(seen, 404)
        assert seen.json["type"] == "urn:restante:problem:unknown-endpoint"


async def test_while_a_secret_is_rotated_both_sign(house: House) -> None:
    one = await made(house)
    place = f"/-/endpoints/{one['id']}"
    seen = await ask(house, "POST", f"{place}/rotate")
    known = house.service.endpoints.one(one["id"])
    assert known is not None
    assert known.signing(house.clock.now()) == (seen.json["secret"], one["secret"])
    assert known.signing(house.clock.now() + DAY) == (seen.json["secret"],)
    seen = await ask(house, "POST", f"{place}/rotate", {"keep": "0s"})
    known = house.service.endpoints.one(one["id"])
    assert known is not None
    assert known.signing(house.clock.now()) == (seen.json["secret"],)
    assert is_problem(await ask(house, "POST", f"{place}/rotate", {"keep": "31d"}), 400)


async def test_a_platform_style_endpoint_has_a_key_and_credentials(house: House) -> None:
    house.service.endpoints.new_key = new_key
    for wrong in ({"username": "shop"}, {"username": "a:b", "password": "c"}):
        assert is_problem(
            await ask(house, "POST", "/-/endpoints", {"url": URL, "signature": "content", **wrong}), 400
        )
    one = await made(house, signature="content", username="361", password="demo")
    assert "secret" not in one
    assert "password" not in one
    room = await sending(house)
    await ask(house, "POST", f"/-/endpoints/{one['id']}/test")
    await eventually(lambda: len(house.courier.sent) == 1 and room.at_rest)
    (parcel,) = house.courier.sent
    assert header(parcel, b"authorization") == b"Basic " + base64.b64encode(b"361:demo")
    verify(parcel.headers, parcel.body, one["public_key"])
    with pytest.raises(SignatureRefused):
        verify(parcel.headers, parcel.body + b" ", one["public_key"])
    assert (await ask(house, "GET", f"/-/endpoints/{one['id']}")).json == one
    assert (await ask(house, "GET", "/-/endpoints")).json["endpoints"] == [one]
    await room.stop(0)


async def test_where_there_is_room_for_one_signature_the_key_before_signs_until_the_new_one_does(
    house: House,
) -> None:
    house.service.endpoints.new_key = new_key
    one = await made(house, signature="content", username="361", password="demo")
    place = f"/-/endpoints/{one['id']}"
    first = one["public_key"]
    room = await sending(house)

    async def signing() -> str:
        """The public key with which the next webhook is verified."""
        sent = len(house.courier.sent)
        await ask(house, "POST", f"{place}/test")
        await eventually(lambda: len(house.courier.sent) > sent and room.at_rest)
        parcel = house.courier.sent[-1]
        shown = (await ask(house, "GET", place)).json
        for key in (shown["public_key"], shown["second_public_key"]):
            with suppress(SignatureRefused, BadRequest):
                verify(parcel.headers, parcel.body, key or "")
                return str(key)
        raise AssertionError("no key that is shown fits")

    lost = (await ask(house, "POST", f"{place}/rotate", {"keep": "1h"})).json
    assert (lost["public_key"] != first, lost["second_public_key"]) == (True, first)
    assert await signing() == first
    after = (
        await ask(house, "POST", f"{place}/rotate", {"keep": "2h"})
    ).json  # who has the first has it still
    assert after["second_public_key"] == first
    assert await signing() == first
    await house.clock.advance(2 * HOUR)
    shown = (await ask(house, "GET", place)).json
    assert (shown["public_key"], shown["second_public_key"]) == (after["public_key"], None)
    assert shown["second_secret_until"] is None
    assert await signing() == after["public_key"]
    at_once = (await ask(house, "POST", f"{place}/rotate", {"keep": "0s"})).json
    assert await signing() == at_once["public_key"]
    await room.stop(0)


async def test_the_secret_of_callbacks_is_made_on_first_use_and_can_be_asked_for(house: House) -> None:
    first = (await ask(house, "GET", "/-/endpoints/callbacks/secret")).json
    assert first["secret"].startswith("whsec_")
    assert (await ask(house, "GET", "/-/endpoints/callbacks/secret")).json == first
    after = (await ask(house, "POST", "/-/endpoints/callbacks/rotate")).json["secret"]
    assert (await ask(house, "GET", "/-/endpoints/callbacks/secret")).json["secret"] == after
    assert is_problem(await ask(house, "PATCH", "/-/endpoints/callbacks", {"url": URL}), 400)
    assert is_problem(await ask(house, "POST", "/-/endpoints/callbacks/test"), 400)
    assert is_problem(await ask(house, "DELETE", "/-/endpoints/callbacks"), 409)
    assert (await ask(house, "GET", "/-/endpoints/callbacks/secret")).json["secret"] == after
    assert not (await ask(house, "PATCH", "/-/endpoints/callbacks", {"active": False})).json["active"]


async def test_what_was_sent_is_listed_looked_at_and_sent_again(house: House) -> None:
    one = await made(house)
    house.courier.script[URL] = lambda _: answered(500, answer=b"no\xff")
    room = await sending(house)
    await house.end(id := await house.submit())
    await eventually(lambda: len(house.courier.sent) == 1 and room.at_rest)
    place = f"/-/endpoints/{one['id']}"
    listed = (await ask(house, "GET", f"{place}/deliveries")).json
    (found,) = listed["deliveries"]
    assert listed["next"] is None
    assert (found["state"], found["transaction"], found["attempts"], found["code"]) == ("waiting", id, 1, 500)
    shown = (await ask(house, "GET", f"/-/deliveries/{found['id']}")).json
    (log,) = shown.pop("log")
    assert shown == found
    assert (log["code"], log["outcome"], log["answer"]) == (500, "answered", "no\ufffd")
    assert is_problem(await ask(house, "POST", f"/-/deliveries/{found['id']}/replay"), 409)
    assert header(house.courier.sent[0], b"webhook-id") == found["id"].encode()
    house.courier.script[URL] = lambda _: answered(410)
    await house.clock.advance(10 * SECOND)
    await eventually(lambda: len(house.courier.sent) == 2 and room.at_rest)
    assert (await ask(house, "GET", place)).json["reason"].startswith("it answered 410")
    del house.courier.script[URL]
    await ask(house, "PATCH", place, {"active": True})
    assert (await ask(house, "GET", f"{place}/deliveries?state=dead")).json["deliveries"]
    seen = await ask(house, "POST", f"{place}/replay", {"created_from": "2020-01-01"})
    assert (seen.code, seen.json) == (202, {"replayed": 1, "more": False})
    await eventually(lambda: len(house.courier.sent) == 3 and room.at_rest)
    assert (await ask(house, "GET", f"/-/deliveries/{found['id']}")).json["state"] == "delivered"
    assert (await ask(house, "POST", f"/-/deliveries/{found['id']}/replay")).code == 202
    await eventually(lambda: len(house.courier.sent) == 4 and room.at_rest)
    for target in ("/-/deliveries/x", f"/-/deliveries/{'0' * 32}"):
        seen = await ask(house, "GET", target)
        assert (is_problem(seen, 404), seen.json["type"]) == (True, "urn:restante:problem:unknown-delivery")
    assert is_problem(await ask(house, "GET", f"{place}/deliveries?state=gone"), 400)
    assert is_problem(await ask(house, "POST", f"{place}/replay", {"state": "waiting"}), 400)
    await room.stop(0)


async def test_the_test_button_sends(house: House) -> None:
    one = await made(house)
    room = await sending(house)
    seen = await ask(house, "POST", f"/-/endpoints/{one['id']}/test")
    assert seen.code == 202
    await eventually(lambda: len(house.courier.sent) == 1 and room.at_rest)
    assert payload(house.courier.sent[0])["type"] == "endpoint.test"
    place = seen.header("location") or ""
    assert (await ask(house, "GET", place)).json["state"] == "delivered"
    for target, content, field in (
        (f"/-/endpoints/{one['id']}/test", {"url": URL}, "url"),
        (f"/-/endpoints/{one['id']}/test", [], "body"),
        (f"/-/endpoints/{one['id']}/test?url=x", None, "url"),
        (f"{place}/replay", {"state": "dead"}, "state"),
        (f"{place}/replay?again=1", {}, "again"),
    ):
        seen = await ask(house, "POST", target, content)
        assert (is_problem(seen, 400), seen.json["field"]) == (True, field)
    assert len(house.courier.sent) == 1
    await room.stop(0)


async def test_deliveries_come_in_pages(house: House) -> None:
    one = await made(house)
    for _ in range(3):
        await house.end(await house.submit())
    place = f"/-/endpoints/{one['id']}/deliveries?limit=2"
    first = (await ask(house, "GET", place)).json
    assert len(first["deliveries"]) == 2
    rest = (await ask(house, "GET", f"{place}&after={first['next']}")).json
    assert (len(rest["deliveries"]), rest["next"]) == (1, None)
    seen = await ask(house, "GET", f"{place}&after=nonsense")
    assert (is_problem(seen, 400), seen.json["field"]) == (True, "after")


# -- the feed


async def test_the_feed_tells_what_went_on_and_goes_on_behind_its_cursor(house: House) -> None:
    one, two = await house.submit(), await house.submit()
    assert (await house.ask("GET", "/-/events")).json == {"events": [], "next": None}
    await house.end(two)
    seen = await house.ask("GET", "/-/events")
    told = seen.json["events"]
    assert [event["type"] for event in told] == [
        "transaction.pending",
        "transaction.processing",
        "transaction.completed",
    ]
    assert {event["data"]["id"] for event in told} == {two}
    assert [event["data"]["previous_sequence"] for event in told] == [None, 1, 2]
    await house.begin(one)
    more = await house.ask("GET", f"/-/events?after={seen.json['next']}")
    assert [event["data"]["id"] for event in more.json["events"]] == [one, one]
    last = more.json["next"]
    assert (await house.ask("GET", f"/-/events?after={last}")).json == {"events": [], "next": last}
    for target in ("?after=x", "?limit=0", "?aftr=1"):
        assert is_problem(await house.ask("GET", f"/-/events{target}"), 400)


async def test_an_empty_feed_is_waited_for(house: House) -> None:
    id = await house.submit()
    wire = await house.wire()
    wire.request("GET", "/-/events", {"Prefer": "wait=20"})
    await eventually(lambda: bool(house.service.feed._waiting))
    await house.begin(id)
    seen = await wire.answer()
    assert seen.header("preference-applied") == "wait=20"
    assert [event["data"]["status"] for event in seen.json["events"]] == ["pending", "processing"]
    wire.request("GET", f"/-/events?after={seen.json['next']}", {"Prefer": "wait=20"})
    await eventually(lambda: bool(house.service.feed._waiting))
    await house.clock.advance(21 * SECOND)
    assert (await wire.answer()).json["events"] == []
    await eventually(lambda: not house.service.feed._waiting)


async def test_who_waits_is_forgotten_when_he_leaves_and_let_go_at_the_end(house: House) -> None:
    wire = await house.wire()
    wire.request("GET", "/-/events", {"Prefer": "wait=20"})
    await eventually(lambda: bool(house.service.feed._waiting))
    wire.leave()
    await eventually(lambda: not house.service.feed._waiting)
    wire = await house.wire()
    wire.request("GET", "/-/events", {"Prefer": "wait=20"})
    await eventually(lambda: bool(house.service.feed._waiting))
    house.service.drain()
    assert (await wire.answer()).json["events"] == []


async def test_the_feed_is_streamed_and_goes_on_where_it_broke_off(house: House) -> None:
    id = await house.submit()
    wire = await house.wire()
    wire.request("GET", "/-/events", {"Accept": "text/event-stream"})
    await wire.reader.readuntil(b"\r\n\r\n")
    await house.begin(id)
    text = b""
    async with asyncio.timeout(10):
        while b"id: " not in text:
            text += await wire.reader.read(4096)
    assert b"event: transaction.processing" in text
    last = text.split(b"id: ")[1].split(b"\n")[0].decode()
    wire.leave()
    wire = await house.wire()
    wire.request("GET", "/-/events", {"Accept": "text/event-stream", "Last-Event-ID": last})
    await wire.reader.readuntil(b"\r\n\r\n")
    started = await house.find(id)
    told = change.inform(started, now=house.clock.now(), message="half", data={})
    assert await house.service.apply(told)
    text = b""
    async with asyncio.timeout(10):
        while b"id: " not in text:
            text += await wire.reader.read(4096)
    assert b"half" in text
    assert b"transaction.processing" not in text
    wire.leave()
