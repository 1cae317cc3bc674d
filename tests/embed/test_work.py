"""What work says of itself: queued, written in order, never in its way."""

import asyncio
from typing import Any

import pytest

from restante import Work
from restante.core.clock import SECOND
from restante.core.errors import NotNow, StoreUnavailable
from restante.core.policy import Limits
from restante.core.report import Report

from ..fakes import FakeClock


class Written:
    """In place of `Reports`: what came, and what is said to it."""

    def __init__(self, *answers: Exception | None, current: bool = True) -> None:
        self.clock = FakeClock()
        self.limits = Limits(events=10)
        self.said: list[str | None] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._answers = list(answers)
        self._current = current

    async def report(self, id: str, token: str, said: Report) -> None:
        await self.gate.wait()
        if self._answers and (error := self._answers.pop(0)) is not None:
            raise error
        self.said.append(said.message)

    async def is_current(self, id: str, token: str) -> bool:
        return self._current


def work(written: Any) -> Work:
    return Work("id", 1, "1.token", written)


async def test_what_the_store_does_not_take_is_lost_and_the_rest_is_not() -> None:
    written = Written(StoreUnavailable("full"), None, RuntimeError("ours"), None)
    tx = work(written)
    for message in ("a", "b", "c", "d"):
        tx.info(message)
    await tx.written()
    assert written.said == ["b", "d"]
    tx.info("e")
    await tx.written()
    assert written.said == ["b", "d", "e"]


async def test_who_is_told_that_it_is_over_says_no_more() -> None:
    written = Written(NotNow("it has ended"), current=False)
    tx = work(written)
    tx.info("a")
    tx.info("b")
    await tx.written()
    assert tx.cancelled
    tx.info("c")
    await tx.written()
    assert written.said == []


async def test_no_more_waits_than_there_may_be_events(caplog: pytest.LogCaptureFixture) -> None:
    written = Written()
    written.gate.clear()
    tx = work(written)
    for number in range(50):
        tx.info(f"{number}")
    written.gate.set()
    await tx.written()
    assert written.said == [f"{number}" for number in range(10)]
    assert caplog.text.count("something was left out") == 1


async def test_of_progress_one_a_second_is_told_and_the_last() -> None:
    written = Written()
    tx = work(written)
    for number in range(1, 31):
        tx.progress(number, 100)
        await written.clock.advance(SECOND // 10)
    await tx.written()
    assert written.said == [f"{number} of 100" for number in (1, 11, 21, 30)]
    tx.progress(100, 100, "All of it")
    await tx.written()
    assert written.said[-1] == "All of it"


async def test_progress_without_a_total_is_what_was_done() -> None:
    written = Written()
    tx = work(written)
    tx.progress(1.5)
    await tx.written()
    assert written.said == ["1.5 done"]


async def test_threads_speak_in_order() -> None:
    written = Written()
    tx = work(written)

    def speak() -> None:
        for number in range(5):
            tx.info(f"{number}")

    await asyncio.to_thread(speak)
    await asyncio.sleep(0)
    await tx.written()
    assert written.said == ["0", "1", "2", "3", "4"]


async def test_what_is_of_another_type_is_said_in_a_sentence() -> None:
    tx = work(Written())
    wrong: Any = b"5"
    with pytest.raises(TypeError, match="a message is text, not bytes"):
        tx.info(wrong)
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        tx.info("a", of=object())
    with pytest.raises(TypeError, match="done is a number, not bytes"):
        tx.progress(wrong)
    with pytest.raises(TypeError, match="total is a number, not bytes"):
        tx.progress(1, wrong)
