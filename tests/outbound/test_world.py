"""The real clock, real chance, and that they are what the ports promise."""

import asyncio
import time

from restante.outbound import HTTPSender, SystemChance, SystemClock
from restante.ports import Answer, Chance, Clock, Line, Sender, Timer

from .calling import begin, line_to
from .scripted import OK, ScriptedUpstream, always


async def test_they_are_what_the_ports_promise(sender: HTTPSender) -> None:
    """mypy is the judge here."""
    async with ScriptedUpstream(always(OK)) as upstream:
        a_sender: Sender = sender
        a_line: Line = await line_to(sender, upstream.policy())
        an_answer: Answer = await begin(sender, upstream.policy())
        a_clock: Clock = SystemClock()
        a_timer: Timer = a_clock.call_at(0, lambda: None)
        a_chance: Chance = SystemChance()
        a_timer.cancel()
        an_answer.close()
        a_line.close()
        assert a_sender and a_chance


async def test_now_is_microseconds_since_1970() -> None:
    assert abs(SystemClock().now() / 1_000_000 - time.time()) < 1


async def test_a_wake_up_comes_once_and_never_early() -> None:
    clock = SystemClock()
    for span in (-1_000_000, 0, 1, 400, 1_700, 20_000):
        moment = clock.now() + span
        woken: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        clock.call_at(moment, lambda woken=woken: woken.set_result(clock.now()))  # type: ignore[misc]
        assert await woken >= moment


async def test_a_wake_up_never_comes_within_the_call() -> None:
    woken: list[int] = []
    SystemClock().call_at(0, lambda: woken.append(1))
    assert not woken
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert woken == [1]


async def test_a_cancelled_wake_up_does_not_come() -> None:
    clock = SystemClock()
    woken: list[str] = []
    first = clock.call_at(clock.now() + 1_000, lambda: woken.append("first"))
    done = asyncio.Event()
    first.cancel()
    clock.call_at(clock.now() + 5_000, done.set)
    await done.wait()
    assert not woken


async def test_a_clock_that_was_set_back_delays_the_wake_up() -> None:
    class SetBack(SystemClock):
        offset = 0

        def now(self) -> int:
            return super().now() + self.offset

    clock = SetBack()
    moment = clock.now() + 2_000
    woken: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    clock.call_at(moment, lambda: woken.set_result(clock.now()))
    clock.offset = -10_000
    assert await woken >= moment


def test_chance_is_chance() -> None:
    chance = SystemChance()
    assert len(chance.bytes(16)) == 16
    assert chance.bytes(16) != chance.bytes(16)
    assert all(0 <= chance.fraction() < 1 for _ in range(100))


def test_what_is_drawn_ahead_is_given_out_once() -> None:
    chance = SystemChance()
    taken = [chance.bytes(10) for _ in range(2000)]
    assert len(set(taken)) == 2000
    assert len(chance.bytes(100_000)) == 100_000
