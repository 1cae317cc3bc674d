"""Limits of a tenant and of an upstream: who is over one is told, and when to come again; others are not."""

import asyncio
from typing import Any

import msgspec
import pytest

from restante.core.access import EVERYBODY, Scope
from restante.core.clock import DAY, HOUR, MINUTE, SECOND
from restante.core.policy import Limits, Route
from restante.gateway import KeyAuth
from restante.runner import Sweeper
from restante.service.quotas import KEPT_SECONDS, TENANTS, WAITING_SECONDS, Quotas, Tally

from ..world import eventually, insisted
from .conftest import MakeHouse
from .house import House
from .wire import Seen

BODY = b"x" * 1000
ELSEWHERE = Route(path="/other/*", upstream="other")


async def posted(house: House, who: dict[str, str], path: str = "/async/x", body: bytes = BODY) -> Seen:
    return await house.ask("POST", path, who, body)


def refused(seen: Seen, code: int, *, after: int) -> str:
    """The message; `after` is what `Retry-After` says."""
    assert (seen.code, seen.header("retry-after")) == (code, str(after)), seen.body
    assert seen.header("restante-status") == "unknown"
    message: str = seen.json["message"]
    return message


async def counted(make_house: MakeHouse, *, limits: dict[str, Any] | None = None, **target: Any) -> House:
    house = await make_house(
        auth=KeyAuth, limits=Limits(**(limits or {})), target=target, routes=[ELSEWHERE], others=["other"]
    )
    await house.service.quotas.count()
    return house


async def test_a_tenant_has_so_many_requests_a_second(make_house: MakeHouse) -> None:
    house = await counted(make_house, limits={"rate_per_tenant": 2.0})
    one, other = await house.key("one"), await house.key("two")
    for path in ("/async/x", "/plain"):
        assert (await posted(house, one, path)).code in (200, 202)
    for path in ("/async/x", "/plain", "/async/other/x"):
        assert "rate_per_tenant" in refused(await posted(house, one, path), 429, after=1)
    assert (await posted(house, other)).code == 202
    assert (await house.ask("GET", "/async/status/x", one)).code == 404, "looking is free"
    await house.clock.advance(SECOND // 2)
    assert [(await posted(house, one)).code for _ in range(2)] == [202, 429]
    await house.clock.advance(MINUTE)
    assert [(await posted(house, one)).code for _ in range(3)] == [202, 202, 429]


async def test_so_many_calls_a_second_go_straight_through_to_an_upstream(make_house: MakeHouse) -> None:
    house = await counted(make_house, through_rate=2.0)
    who = await house.key()
    assert [(await posted(house, who, "/plain")).code for _ in range(2)] == [200, 200]
    for name in ("one", "two"):
        seen = await posted(house, await house.key(name), "/plain")
        assert "through_rate" in refused(seen, 503, after=1)
    assert len(house.upstream.came) == 2
    assert (await posted(house, who)).code == 202, "what is kept waits its turn"
    assert (await posted(house, who, "/other/x")).code == 502, "another upstream has no limit"
    await house.clock.advance(SECOND // 2)
    assert [(await posted(house, who, "/plain")).code for _ in range(2)] == [200, 503]


async def test_so_many_calls_are_under_way_to_an_upstream(make_house: MakeHouse) -> None:
    house = await counted(make_house, through_concurrency=1)
    who = await house.key()
    whole = house.upstream.raw
    house.upstream.raw = whole.removesuffix(b"k")  # and the rest never comes
    wire = await house.wire()
    wire.write(b"GET /slow HTTP/1.1\r\nHost: a\r\nRestante-Key: %b\r\n\r\n" % who["Restante-Key"].encode())
    await eventually(lambda: len(house.upstream.came) == 1)
    assert "through_concurrency" in refused(await posted(house, who, "/plain"), 503, after=1)
    assert len(house.upstream.came) == 1
    house.upstream.raw = whole
    wire.leave()
    async with asyncio.timeout(10):
        while (await posted(house, who, "/plain")).code == 503:
            pass
    assert (await posted(house, who, "/plain")).code == 200


async def test_secrets_cost_as_much_as_requests(make_house: MakeHouse) -> None:
    house = await counted(make_house, limits={"rate_per_tenant": 2.0})
    who = await house.key()
    made = await posted(house, who, "/-/endpoints", b'{"url":"https://a.example/"}')
    assert made.code == 201
    rotated = [await posted(house, who, f"/-/endpoints/{made.json['id']}/rotate", b"{}") for _ in range(2)]
    assert [seen.code for seen in rotated] == [200, 429]


async def test_few_an_hour_come_one_by_one(make_house: MakeHouse) -> None:
    house = await counted(make_house, limits={"rate_per_tenant": 2 / 3600})
    one = await house.key()
    assert (await posted(house, one)).code == 202
    refused(await posted(house, one), 429, after=1800)
    await house.clock.advance(HOUR // 2)
    assert (await posted(house, one)).code == 202


async def test_so_much_may_wait_for_an_upstream(make_house: MakeHouse) -> None:
    house = await counted(make_house, max_queued=2)
    who = await house.key()
    ids = [(await posted(house, who)).json["request_id"] for _ in range(2)]
    for name in ("one", "two"):
        seen = await posted(house, await house.key(name))
        assert "max_queued" in refused(seen, 503, after=WAITING_SECONDS)
    again = await house.ask("POST", f"/-/transactions/{ids[0]}/retry", who, b"")
    assert again.code == 409
    assert (await posted(house, who, "/async/other/x")).code == 202, "another upstream has room"
    await house.end(ids[0])
    assert [(await posted(house, who)).code for _ in range(2)] == [202, 503]
    await house.service.quotas.count()
    refused(await posted(house, who), 503, after=WAITING_SECONDS)
    await house.end(ids[1])
    await house.service.quotas.count()
    assert (await posted(house, who)).code == 202


@pytest.mark.parametrize(
    ("limits", "target", "code", "setting"),
    [
        ({"max_stored_per_tenant": 5000}, {}, 429, "max_stored_per_tenant"),
        ({}, {"max_stored": 5000}, 503, "max_stored"),
    ],
)
async def test_so_much_may_be_kept(
    make_house: MakeHouse, limits: dict[str, Any], target: dict[str, Any], code: int, setting: str
) -> None:
    house = await counted(make_house, limits=limits, **target)
    who = await house.key()
    alone = await posted(house, who, body=b"x" * 5001)
    assert (alone.code, alone.header("retry-after")) == (413, None)
    assert setting in alone.json["message"]
    id = (await posted(house, who)).json["request_id"]
    await house.end(id, body=b"y" * 3000)
    assert setting in refused(await posted(house, who), code, after=KEPT_SECONDS)
    assert (await posted(house, who, body=b"small")).code == 202
    await house.service.quotas.count()
    refused(await posted(house, who), code, after=KEPT_SECONDS)
    elsewhere = await posted(house, who, "/async/other/x")
    assert elsewhere.code == (202 if target else 429)
    assert (await posted(house, await house.key("two"))).code == (503 if target else 202)
    await house.clock.advance(DAY)
    assert await insisted(Sweeper(house.service).sweep) > 0
    await house.service.quotas.count()
    assert (await posted(house, who)).code == 202


async def test_what_was_not_stored_counts_for_nothing(make_house: MakeHouse) -> None:
    house = await counted(make_house, limits={"max_stored_per_tenant": 3000}, max_queued=2)
    who = {**await house.key(), "Idempotency-Key": "one"}
    for _ in range(5):
        assert (await posted(house, who)).code == 202
    assert (await posted(house, who, body=b"another")).code == 422
    assert (await posted(house, {**who, "Idempotency-Key": "two"})).code == 202


async def test_a_large_body_is_refused_before_it_is_sent(make_house: MakeHouse) -> None:
    house = await counted(make_house, limits={"max_stored_per_tenant": 100_000})
    who = await house.key()
    wire = await house.wire()
    fields = b"".join(f"{name}: {value}\r\n".encode() for name, value in who.items())
    wire.write(
        b"POST /async/x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n" + fields
    )
    wire.write(b"\r\n")
    assert (await wire.answer()).code == 413


async def test_an_operator_who_does_it_again_does_it_for_the_tenant(make_house: MakeHouse) -> None:
    house = await counted(make_house, limits={"rate_per_tenant": 1.0})
    id = (await posted(house, await house.key())).json["request_id"]
    await house.end(id)
    boss = await house.key(EVERYBODY, Scope.READ, Scope.OPERATE)
    assert (await house.ask("POST", f"/-/transactions/{id}/retry", boss, b"")).code == 429


async def test_without_limits_nothing_is_counted(make_house: MakeHouse) -> None:
    house = await make_house()
    assert not house.service.quotas.any
    house.service.quotas.start()
    assert house.service.quotas._rounds._task is None


async def test_only_so_many_tenants_rates_are_kept(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(rate_per_tenant=1.0))
    quotas = house.service.quotas
    for number in range(TENANTS + 10):
        quotas.spend(f"t{number}")
    assert len(quotas._rates) == TENANTS


async def test_it_is_counted_again_and_again(make_house: MakeHouse) -> None:
    house = await make_house(target={"max_queued": 1})
    policy = msgspec.structs.replace(house.policy)
    quotas = Quotas(store=house.store, policy=policy, clock=house.clock)
    quotas.start()
    assert quotas._rounds._task is not None
    await quotas._rounds._task
    quotas.check("default", "default")
    await house.submit()  # by somebody else, as it were
    with pytest.raises(AssertionError):
        await wait_refused(quotas)
    await house.clock.advance(SECOND)
    await quotas._rounds._task
    await wait_refused(quotas)
    await quotas.stop()


async def wait_refused(quotas: Quotas) -> None:
    try:
        quotas.check("default", "default")
    except Exception:
        return
    raise AssertionError


def test_what_happens_while_it_is_counted_makes_it_rather_too_much() -> None:
    tally = Tally()
    tally.add("a", 5)
    tally.begin()
    tally.add("a", 2)
    tally.add("a", -1)
    assert tally.of("a") == 6
    tally.begin()  # the first count came to nothing
    tally.add("a", 3)
    assert tally.of("a") == 9
    tally.counted({"a": 6})
    assert (tally.of("a"), tally.of("b")) == (9, 0)
    tally.add("a", -1)
    assert tally.of("a") == 8
