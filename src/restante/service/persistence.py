"""Writing down what is known already, however long the store takes.

An end that has come, a reading that was made: it must not be lost because the disk was full for a
while. (What is asked for anew is refused instead, and asked again by whoever wanted it.)
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..core.errors import StoreUnavailable
from ..ports import Clock
from .outage import Outage

Written = TypeVar("Written")


async def until_written(
    outage: Outage, write: Callable[[], Awaitable[Written]], *, what: str, until: int | None = None
) -> Written:
    """What `write` returns, as soon as the store takes it. `what` is for the log.

    After the moment `until`, the store's last refusal is raised instead.
    """
    tries = 0
    while True:
        try:
            return await write()
        except StoreUnavailable as error:
            if until is not None and outage.clock.now() >= until:
                raise
            outage.met(error, what)
        await pause(outage.clock, outage.pauses[min(tries, len(outage.pauses) - 1)])
        tries += 1


async def pause(clock: Clock, span: int) -> None:
    """Lets `span` pass."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = clock.call_at(clock.now() + span, lambda: None if done.done() else done.set_result(None))
    try:
        await done
    finally:
        timer.cancel()
