"""How a process ends: each thing has its time, and one that hangs keeps nobody from ending."""

import asyncio
import logging
import subprocess
import sys

import pytest

from restante.assembly.ending import ended

NOW = 0.01


async def test_what_ends_in_time_has_ended_well() -> None:
    async def soon() -> None:
        await asyncio.sleep(0)

    assert await ended(10, one=soon(), other=soon())


async def test_what_hangs_is_told_of_and_broken_off_and_the_others_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    over: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            over.append("broken off")

    async def soon() -> None:
        over.append("ended")

    assert not await ended(NOW, store=hang(), sender=soon())
    assert "store did not end within 0.01 s" in caplog.text
    await asyncio.sleep(0)
    assert over == ["ended", "broken off"]


async def test_what_swallows_being_broken_off_is_left() -> None:
    let_go = asyncio.Event()

    async def stubborn() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    async with asyncio.timeout(10):
        assert not await ended(NOW, stubborn=stubborn())
    let_go.set()


async def test_what_breaks_is_told_of_and_the_others_end(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("ours to mend")

    async def soon() -> None:
        await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR):
        assert not await ended(10, courier=fail(), sender=soon())
    assert "courier did not end well" in caplog.text


async def test_where_nobody_waits_any_more_it_is_broken_off() -> None:
    broken_off = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.set()

    waiting = asyncio.ensure_future(ended(10, one=hang()))
    await asyncio.sleep(0)
    waiting.cancel()
    async with asyncio.timeout(10):
        await broken_off.wait()


def test_a_process_that_hangs_is_gone_by_then_and_says_where_it_stood() -> None:
    program = "from restante.assembly.ending import end_within\nend_within(0.1)\nwhile True: pass\n"
    gone = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert gone.returncode == 1
    assert "it did not end within 0.1 s, and stood here:" in gone.stderr
    assert "most recent call first" in gone.stderr
