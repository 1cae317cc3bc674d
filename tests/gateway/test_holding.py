"""Answers that go on end when the key they were asked for with is good no longer."""

import asyncio

import msgspec
import pytest

from restante.core.access import Scope
from restante.core.clock import SECOND
from restante.core.errors import StoreUnavailable
from restante.gateway import KeyAuth
from restante.service.keys import AWAY, FRESH

from ..world import eventually
from .conftest import MakeHouse
from .house import House
from .test_access import Ring, known
from .test_native import is_problem
from .wire import Wire


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(auth=KeyAuth)


async def streamed(house: House, target: str, who: dict[str, str]) -> Wire:
    wire = await house.wire()
    wire.request("GET", target, {"Accept": "text/event-stream", **who})
    assert (await wire.answer("HEAD")).code == 200
    return wire


async def is_broken_off(wire: Wire) -> None:
    """Whatever still came, the connection is closed and the last chunk is not there."""
    async with asyncio.timeout(10):
        rest = await wire.reader.read()
    assert not rest.endswith(b"0\r\n\r\n")


async def streams(house: House, who: dict[str, str]) -> list[Wire]:
    id = await house.submit(**who)
    return [await streamed(house, target, who) for target in ("/-/events", f"/-/transactions/{id}/events")]


async def test_a_live_stream_ends_when_its_key_is_revoked(house: House) -> None:
    who, boss = await house.key(), await house.key()
    others = await streams(house, boss)
    wires = await streams(house, who)
    id = who["Restante-Key"].split("_")[1]
    assert (await house.ask("POST", f"/-/keys/{id}/revoke", boss, b"")).code == 200
    for wire in wires:
        await is_broken_off(wire)
    assert all(not wire.reader.at_eof() for wire in others)


@pytest.mark.parametrize("told", [True, False])
async def test_a_live_stream_ends_when_its_key_was_revoked_elsewhere(house: House, told: bool) -> None:
    who = await house.key()
    wires = await streams(house, who)
    id = who["Restante-Key"].split("_")[1]
    await house.store.revoke_keys([id], tenant="default", now=house.clock.now())
    if told:
        house.service.keys.heard()
    else:
        await house.clock.advance(FRESH)
    for wire in wires:
        await is_broken_off(wire)


async def test_a_live_stream_ends_when_its_key_expires(house: House) -> None:
    wires = await streams(house, await house.key(span=FRESH // 2))
    await house.clock.advance(FRESH // 2)
    for wire in wires:
        await is_broken_off(wire)


async def test_a_poll_that_is_held_is_refused_when_its_key_is_revoked(house: House) -> None:
    who = await house.key()
    id = await house.submit(**who)
    key = who["Restante-Key"].split("_")[1]
    polls = []
    for target in ("/-/events", f"/-/transactions/{id}", f"/async/status/{id}"):
        wire = await house.wire()
        wire.request("GET", target, {"Prefer": "wait=20", **who})
        polls.append(wire)
    held = house.service.keys._holding
    await eventually(lambda: [len(one.holders) for one in held._held.values()] == [3])
    await house.service.keys.revoke("default", key)
    for wire in polls[:2]:
        is_problem(await wire.answer(), 401)
    assert (await polls[2].answer()).code == 401
    assert not house.clock.waited_for()


async def test_nothing_is_asked_of_the_store_once_nobody_holds_anything(house: House) -> None:
    for wire in await streams(house, await house.key(span=60 * SECOND)):
        wire.leave()
    await eventually(lambda: not house.service.keys._holding.digests)
    await eventually(lambda: not house.clock.waited_for())


async def test_what_was_told_before_the_store_went_away_is_remembered() -> None:
    ring = Ring()
    keys, clock, digest = await known(ring)
    other, _ = await keys.make(tenant="one", scopes=[Scope.READ], span=None)
    assert await keys.find(other.digest)
    ring.keys[digest] = msgspec.structs.replace(ring.keys[digest], revoked_at=clock.now())
    keys.heard()
    await eventually(lambda: keys._again._looking is None)
    ring.away = True
    assert await keys.find(other.digest)
    with pytest.raises(StoreUnavailable):
        await keys.find(digest)


async def test_while_the_store_is_away_an_answer_goes_on_for_as_long_as_its_key_is_good() -> None:
    ring = Ring()
    keys, clock, digest = await known(ring)
    ended: list[int] = []
    release = keys.hold(ring.keys[digest], lambda: ended.append(clock.now()))
    ring.away, began = True, clock.now()
    await clock.advance(AWAY - 1)
    assert not ended
    await clock.advance(1)
    assert ended == [began + AWAY]
    release()
