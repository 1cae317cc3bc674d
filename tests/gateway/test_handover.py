"""An error is handed to one reader, whole; whoever leaves before the end has not read it."""

import asyncio
import random

import pytest

from restante.core.status import Outcome, Reading
from restante.gateway import call

from ..world import eventually
from .house import House
from .wire import Wire

MiB = 1024 * 1024


async def test_racing_readers_only_one_gets_it(house: House) -> None:
    id = await house.submit()
    await house.end(id, 500, b"the error")
    wires = [await house.wire() for _ in range(20)]
    seen = await asyncio.gather(*(wire.ask("GET", f"/async/result/{id}") for wire in wires))
    assert sorted(answer.code for answer in seen) == [404] * 19 + [500]
    assert [answer.body for answer in seen if answer.code == 500] == [b"the error"]


async def test_a_reader_that_leaves_early_does_not_consume(house: House) -> None:
    id = await house.submit()
    body = b"x" * (32 * MiB)
    await house.end(id, 500, body)
    wire = await house.wire()
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
    wire.request("GET", f"/async/result/{id}")
    await house.reading_becomes(id, Reading.RESERVED)
    other = await house.ask("GET", f"/async/result/{id}")
    assert other.code == 404  # while somebody is being served
    assert (await house.ask("GET", f"/async/status/{id}")).code == 404
    wire.leave()
    await house.reading_becomes(id, Reading.UNREAD)
    assert (await house.ask("GET", f"/async/status/{id}")).json["status"] == "completed"
    seen = await house.ask("GET", f"/async/result/{id}")
    assert (seen.code, seen.body == body) == (500, True)
    assert (await house.ask("GET", f"/async/result/{id}")).code == 404


async def test_a_reader_overtaken_by_a_replay_does_not_touch_the_next_ones_reading(
    house: House,
) -> None:
    id = await house.submit(Idempotency_Key="a")
    body = b"x" * (32 * MiB)
    await house.end(id, 500, body)
    slow = []
    for _ in range(2):  # the second is let in by the replay
        wire = await house.wire()
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        wire.request("GET", f"/async/result/{id}")
        await house.reading_becomes(id, Reading.RESERVED)
        slow.append(wire)
        if len(slow) == 1:
            assert await house.submit(Idempotency_Key="a") == id
            assert (await house.find(id)).reading is Reading.UNREAD
    first, second = slow
    first.leave()
    await eventually(lambda: len(house.servers[0].server_state.tasks) == 1)
    assert (await house.find(id)).reading is Reading.RESERVED
    assert (await house.ask("GET", f"/async/result/{id}")).code == 404
    second.writer.transport.resume_reading()  # type: ignore[attr-defined]
    seen = await second.answer()
    assert (seen.code, seen.body == body) == (500, True)
    await house.reading_becomes(id, Reading.READ)
    assert (await house.ask("GET", f"/async/result/{id}")).code == 404


async def test_a_reader_that_left_before_the_answer_does_not_consume(house: House) -> None:
    id = await house.submit()
    await house.end(id, 500, b"the error")
    for _ in range(20):
        wire = await house.wire()
        wire.request("GET", f"/async/result/{id}")
        await asyncio.sleep(0)
        wire.leave()
    await asyncio.gather(*(house.ask("GET", "/-/healthz") for _ in range(5)))
    async with asyncio.timeout(10):
        while (reading := (await house.find(id)).reading) is Reading.RESERVED:
            pass
    # Either nobody was quick enough to be handed it, and then it is still there, or one was.
    seen = await house.ask("GET", f"/async/result/{id}")
    assert seen.code == (500 if reading is Reading.UNREAD else 404)


async def test_a_reader_that_closes_on_the_last_byte_has_read_it(house: House) -> None:
    for size in (0, 1, 1024, 1025, MiB):
        id = await house.submit()
        await house.end(id, 500, b"x" * size)
        seen = await house.ask("GET", f"/async/result/{id}", {"Connection": "close"})
        house.wires.pop().leave()
        assert (seen.code, len(seen.body)) == (500, size)
        await house.reading_becomes(id, Reading.READ)


async def test_on_one_connection_the_second_reading_is_unknown(house: House) -> None:
    id = await house.submit()
    await house.breaks(id, Outcome.UNREACHABLE)
    wire = await house.wire()
    wire.request("GET", f"/async/result/{id}")
    wire.request("GET", f"/async/result/{id}")  # pipelined
    assert [(await wire.answer()).code, (await wire.answer()).code] == [502, 404]


async def test_a_slow_reader_gets_all_of_it_once(house: House) -> None:
    id = await house.submit()
    await house.end(id, 500, b"x" * (8 * MiB))
    wire = await house.wire()
    wire.request("GET", f"/async/result/{id}")
    seen = await wire.answer()
    assert len(seen.body) == 8 * MiB
    await house.reading_becomes(id, Reading.READ)


@pytest.mark.parametrize("size", [10, MiB])
async def test_a_success_is_read_by_everybody_at_once(house: House, size: int) -> None:
    id = await house.submit()
    await house.end(id, 200, b"x" * size)
    wires: list[Wire] = [await house.wire() for _ in range(10)]
    seen = await asyncio.gather(*(wire.ask("GET", f"/async/result/{id}") for wire in wires))
    assert [(answer.code, len(answer.body)) for answer in seen] == [(200, size)] * 10


@pytest.mark.parametrize("seed", range(5))
async def test_whoever_leaves_when_exactly_one_reader_gets_all_of_it(house: House, seed: int) -> None:
    """Readers come and go at random; in the end one, and only one, has had the whole error."""
    chance = random.Random(seed)
    size = chance.choice([3, 5000, 300_000, 8 * MiB])
    id = await house.submit()
    await house.end(id, 500, b"x" * size)
    whole = 0

    async def visit() -> None:
        nonlocal whole
        wire = await house.wire()
        wire.request("GET", f"/async/result/{id}")
        head = await wire.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 500"):
            return
        patience = size if chance.random() < 0.3 else int(size * chance.random() * 0.5)
        try:
            await wire.reader.readexactly(patience)
        finally:
            wire.leave()
        whole += patience == size

    while whole == 0:
        await asyncio.gather(*(visit() for _ in range(4)))
        if (await house.find(id)).reading is Reading.READ:
            break  # what fits into the system's buffers is out of our hands before the reader can leave
    await house.reading_becomes(id, Reading.READ)
    assert whole <= 1
    assert (await house.ask("GET", f"/async/result/{id}")).code == 404


async def test_a_reader_that_takes_nothing_gives_the_error_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "STALLED_SECONDS", 0.05)
    id = await house.submit()
    await house.end(id, 422, b"x" * 8_000_000)
    stalled = await house.wire()
    stalled.writer.transport.pause_reading()
    stalled.request("GET", f"/async/result/{id}")
    await house.reading_becomes(id, Reading.RESERVED)
    await house.reading_becomes(id, Reading.UNREAD)
    assert (await house.ask("GET", f"/async/result/{id}")).code == 422
