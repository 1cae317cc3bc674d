"""A busy event loop does not starve the store's threads of the interpreter."""

import asyncio
import time
from pathlib import Path

import uvloop

from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore

from ..samples import accepted, now_is

ENOUGH_SECONDS = 10.0
"""Of the processor, whatever else the machine does, for what takes one; without the turnstile it takes twenty
at least: the loop spins on while the store's threads wait."""

PATIENCE_SECONDS = 120.0


def test_a_busy_event_loop_does_not_starve_the_store(path: Path) -> None:
    async def busy() -> None:
        while True:
            sum(range(2000))
            await asyncio.sleep(0)

    async def main() -> None:
        store = await SQLiteStore.open(str(path), limits=Limits())
        spinning = asyncio.ensure_future(busy())
        begun = time.process_time()
        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(300):
                transaction = await accepted(store)
                assert await now_is(store, transaction) == transaction
                assert time.process_time() - begun < ENOUGH_SECONDS
        spinning.cancel()
        await store.close()

    uvloop.run(main())


async def test_an_idle_store_is_looked_after_by_nobody(store: SQLiteStore) -> None:
    await accepted(store)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any("Turnstile" in repr(timer) for timer in loop._scheduled):  # type: ignore[attr-defined]
            await asyncio.sleep(0)
