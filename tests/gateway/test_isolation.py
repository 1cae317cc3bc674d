"""Somebody else's is as what never was: every call there is, by its owner, by another tenant, by nobody.

The calls are those of the tables that serve them, so that a new one is tested, or fails here for want of an
example.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from restante.core.access import EVERYBODY, Scope
from restante.core.policy import Route
from restante.core.status import Dialect
from restante.gateway import KeyAuth
from restante.gateway.access import NATIVE, OPEN, ROOMS
from restante.gateway.native import TABLE
from restante.gateway.rooms import Room

from .conftest import MakeHouse
from .house import House
from .wire import Seen

LIST = "/seller/v0/transactions"
TICKETS = Route(method="POST", path="/tickets", dialect=Dialect.TRANSACTION, transactions=LIST)

EVERYBODYS = {"upstreams", "store", "metrics", "healthz", "readyz"}
"""What is below `/-/` and no tenant's."""

BY_TENANT = {"GET /-/transactions", "GET /-/keys", "GET /-/endpoints", "GET /-/events"}

BODIES: dict[str, Any] = {
    "POST /-/transactions/{id}/resolve": {"status": "failed", "reason": "asked", "by": "me"},
    "POST /-/endpoints": {"url": "https://a.example/"},
    "PATCH /-/endpoints/{id}": {"payload": "thin"},
    "POST /-/endpoints/{id}/replay": {},
    "POST /-/endpoints/{id}/rotate": {},
    "POST /-/keys": {"tenant": "other", "scopes": ["read"]},
}
MODES: list[dict[str, str]] = [
    {},
    {"Prefer": "wait=1"},
    {"Accept": "text/event-stream"},
    {"Accept": "text/event-stream", "Last-Event-ID": "1"},
]
"""Ways to ask for the same."""

ROOM_TARGETS = {
    Room.TASK_STATUS: "/async/status/{transactions}",
    Room.TASK_RESULT: "/async/result/{transactions}",
    Room.TRANSACTION: LIST + "/{tickets}",
    Room.TRANSACTIONS: LIST,
}


def native_calls() -> Iterator[tuple[str, str, str]]:
    """Each call below `/-/`: its name, its method, its target with the kind of id in it."""
    for pattern, methods in TABLE:
        target = "/-/" + "/".join(pattern).replace("{id}", f"{{{pattern[0]}}}")
        for method in [*methods, *(["HEAD"] if "GET" in methods else [])]:
            listed = "GET" if method == "HEAD" else method
            yield f"{listed} /-/{'/'.join(pattern)}", method, target


CALLS = [
    *native_calls(),
    *[
        (f"{method} {room.name}", method, ROOM_TARGETS[room])
        for room, methods in ROOMS.items()
        for listed in methods
        if listed != "*"
        for method in ([listed, "HEAD"] if listed == "GET" else [listed])
    ],
]
EVERY_CALL = pytest.mark.parametrize(
    ("name", "method", "target"), CALLS, ids=[f"{method} {target}" for _, method, target in CALLS]
)


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(auth=KeyAuth, routes=[TICKETS])


async def things(house: House, who: dict[str, str], *, ended: bool) -> dict[str, str]:
    """One of each kind of what a tenant may have: ids by kind."""

    async def made(target: str, content: Any = None, name: str = "id") -> str:
        seen = await house.ask("POST", target, who, json.dumps(content or {}).encode())
        assert 200 <= seen.code < 300, seen.body
        return str(seen.json[name])

    endpoint = await made("/-/endpoints", {"url": "https://a.example/"})
    ids = {
        "transactions": await made("/async/payments", name="request_id"),
        "tickets": await made("/tickets", name="transaction_id"),
        "endpoints": endpoint,
        "deliveries": await made(f"/-/endpoints/{endpoint}/test"),
        "keys": await made("/-/keys", {"tenant": "default", "scopes": ["read"]}),
    }
    if ended:
        await house.end(ids["transactions"], 422, b'{"wrong":"card"}')
        await house.end(ids["tickets"], 422, b'{"wrong":"card"}')
    return ids


def unknown(ids: dict[str, str]) -> dict[str, str]:
    """Ids that look the same, and never were."""
    return {
        kind: id[:-8] + f"{int(id[-8:], 16) ^ 0x5A5A:08x}" if kind != "endpoints" else id[:-1] + "~"
        for kind, id in ids.items()
    }


def told(seen: Seen, ids: dict[str, str], target: str) -> tuple[int, list[tuple[str, bytes]], bytes]:
    """All of an answer but what it repeats of the question, and the time of day."""
    body = seen.body.replace(target.encode(), b"TARGET")
    for kind, id in ids.items():
        body = body.replace(id.encode(), kind.encode())
    assert seen.complete
    return seen.code, [pair for pair in seen.headers if pair[0] != "date"], body


async def ask(house: House, name: str, method: str, target: str, headers: dict[str, str]) -> Seen:
    body = None if method in ("GET", "HEAD", "DELETE") else json.dumps(BODIES.get(name, "")).encode()
    if body == b'""':
        body = b""
    return await house.ask(method, target, headers, body)


@EVERY_CALL
@pytest.mark.parametrize("ended", [False, True], ids=["running", "ended"])
async def test_somebody_elses_is_as_what_never_was(
    house: House, name: str, method: str, target: str, ended: bool
) -> None:
    owner, other = await house.key("default"), await house.key("other")
    theirs = await things(house, owner, ended=ended)
    never = unknown(theirs)
    if "{" not in target or target.split("/")[2] in EVERYBODYS:
        return  # what is listed is below; what is everybody's is no tenant's
    for mode in MODES if method in ("GET", "HEAD") else MODES[:1]:
        here, nowhere = target.format(**theirs), target.format(**never)
        for who in (other, {}):
            seen = told(await ask(house, name, method, here, {**mode, **who}), theirs, here)
            assert seen == told(await ask(house, name, method, nowhere, {**mode, **who}), never, nowhere)
            assert seen[0] == (404 if who or NATIVE.get(name) == OPEN else 401)
    mine = await ask(house, name, method, target.format(**theirs), owner)
    assert mine.code != 404 or NATIVE.get(name) == OPEN or (name, ended) in NOT_EVEN_MINE, mine.body


NOT_EVEN_MINE = {
    ("GET /-/endpoints/{id}/secret", False),  # shown once
    ("GET /-/endpoints/{id}/secret", True),
}


@EVERY_CALL
async def test_lists_hold_what_is_the_callers(house: House, name: str, method: str, target: str) -> None:
    if "{" in target or (target.startswith("/-/") and target.split("/")[2] in EVERYBODYS) or method == "POST":
        return
    before = await ask(house, name, method, target, await house.key("other", Scope.READ, Scope.OPERATE))
    theirs = await things(house, await house.key("default"), ended=True)
    for query in ("", "?tenant=default" if name in BY_TENANT else ""):
        who = await house.key("third", Scope.READ, Scope.OPERATE)
        seen = await ask(house, name, method, target + query, who)
        assert seen.code == 200
        assert not any(id.encode() in seen.body for id in theirs.values())
        if name != "GET /-/keys":
            assert seen.body == before.body


async def test_nothing_happens_to_what_others_ask_for(house: House) -> None:
    owner, other = await house.key("default"), await house.key("other")
    theirs = await things(house, owner, ended=False)
    before = [await house.find(theirs[kind]) for kind in ("transactions", "tickets")]
    shown = [
        await house.ask("GET", f"/-/{kind}/{theirs[kind]}", owner) for kind in ("endpoints", "deliveries")
    ]
    for name, method, target in CALLS:
        if "{" in target and target.split("/")[2] not in EVERYBODYS:
            for who in (other, {}):
                await ask(house, name, method, target.format(**theirs), who)
    assert [await house.find(theirs[kind]) for kind in ("transactions", "tickets")] == before
    again = [
        await house.ask("GET", f"/-/{kind}/{theirs[kind]}", owner) for kind in ("endpoints", "deliveries")
    ]
    assert [seen.body for seen in again] == [seen.body for seen in shown]
    keys = (await house.ask("GET", "/-/keys", owner)).json["keys"]
    assert all(key["good"] for key in keys)


async def test_every_call_that_is_served_is_in_the_table_and_no_other() -> None:
    assert {name for name, _, _ in native_calls()} == set(NATIVE)
    assert set(ROOMS) == set(Room) - {Room.NATIVE}


async def test_the_same_idempotency_key_of_another_tenant_is_another(house: House) -> None:
    ids = set()
    for tenant, body in (("default", b"1"), ("other", b"1"), ("third", b"2")):
        who = {**await house.key(tenant), "Idempotency-Key": "order-7"}
        seen = await house.ask("POST", "/async/payments", who, body)
        assert (seen.code, seen.header("idempotent-replayed")) == (202, None)
        ids.add(seen.json["request_id"])
    assert len(ids) == 3


async def test_a_key_for_everybody_reaches_what_each_tenant_has(house: House) -> None:
    all = await house.key(EVERYBODY, Scope.READ, Scope.OPERATE)
    theirs = await things(house, await house.key("default"), ended=True)
    id = theirs["transactions"]
    assert (await house.ask("GET", f"/-/transactions/{id}", all)).json["tenant"] == "default"
    assert (await house.ask("GET", f"/-/transactions/{id}/result", all)).code == 422
    again = await house.ask("POST", f"/-/transactions/{id}/retry", all, b"")
    assert (again.code, again.json["tenant"]) == (202, "default")
    refused = await house.ask("GET", "/-/transactions", all)
    assert (refused.code, refused.json["field"]) == (400, "tenant")
    listed = (await house.ask("GET", "/-/transactions?tenant=default", all)).json["transactions"]
    assert len(listed) == 3
    revoked = await house.ask("POST", f"/-/keys/{theirs['keys']}/revoke", all, b"")
    assert revoked.json["good"] is False
    assert (await house.ask("POST", "/async/x", all, b"")).code == 403
    for target, kind in (("/-/endpoints", "endpoints"), ("/-/events", "events")):
        refused = await house.ask("GET", target, all)
        assert (refused.code, refused.json["field"]) == (400, "tenant")
        assert len((await house.ask("GET", f"{target}?tenant=default", all)).json[kind]) > 0
        assert (await house.ask("GET", f"{target}?tenant=nobody", all)).json[kind] == []
    for kind in ("endpoints", "deliveries"):
        assert (await house.ask("GET", f"/-/{kind}/{theirs[kind]}", all)).json["id"] == theirs[kind]
    listed = (await house.ask("GET", f"/-/endpoints/{theirs['endpoints']}/deliveries", all)).json[
        "deliveries"
    ]
    assert theirs["deliveries"] in [one["id"] for one in listed]
    assert (await house.ask("PATCH", f"/-/endpoints/{theirs['endpoints']}", all, b"{}")).code == 403


async def test_looking_at_a_tenants_callbacks_makes_none(house: House) -> None:
    all = await house.key(EVERYBODY, Scope.READ)
    target = "/-/endpoints/callbacks"
    assert (await house.ask("GET", target, all)).code == 400
    assert (await house.ask("GET", f"{target}?tenant=default", all)).code == 404
    theirs = await house.ask("GET", target, await house.key("default"))
    assert (await house.ask("GET", f"{target}?tenant=default", all)).json == theirs.json


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/-/store"),
        ("GET", "/-/upstreams"),
        ("POST", "/-/upstreams/default/pause"),
        ("POST", "/-/upstreams/default/resume"),
    ],
)
async def test_what_concerns_every_tenant_is_not_for_the_operator_of_one(
    house: House, method: str, target: str
) -> None:
    body = None if method == "GET" else b""
    assert (await house.ask(method, target, await house.key("default"), body)).code == 403
    assert house.service.pauses.names == frozenset()
    assert (await house.ask(method, target, await house.key(EVERYBODY, Scope.OPERATE), body)).code == 200
