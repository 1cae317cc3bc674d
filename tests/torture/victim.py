"""Restante with a weakness, and with what a test needs and the product has not: a short lease, a clock that
can be put on or back, a disk that forgets what was not flushed.

    victim.py --weak WEAKNESS --lease SECONDS --clock FILE --config FILE --listen HOST:PORT

Whatever is weak here is made so by replacing methods and texts of the product.
"""

import argparse
import asyncio
import logging
import signal
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from power import Disk  # it is run as a file, and that is beside it

from restante.assembly import start
from restante.assembly.store import SQLITE, open_served
from restante.config import settings
from restante.core import change as changes
from restante.core.clock import SECOND
from restante.core.errors import MoveRefused
from restante.outbound import SystemClock
from restante.runner import attempt
from restante.service.endpoints import Endpoints
from restante.service.service import Service
from restante.stores.postgres import queries
from restante.stores.sqlite import SQLiteStore, database
from restante.torture.clocked import OffClock

BETWEEN_SECONDS = 0.3
"""Between two commits that should be one."""

# -- what is weak


def forget_the_fence() -> None:
    """A worker settles what it likes, whichever attempt it made."""
    changes._fence = lambda *_: None


def write_the_outbox_apart() -> None:
    """Deliveries are written in a commit of their own, after the one that writes their events."""
    whole, told = Service.apply, Endpoints.with_deliveries
    Endpoints.with_deliveries = lambda self, change: change

    async def apply(self: Service, change: Any, **how: Any) -> bool:
        applied = await whole(self, change, **how)
        deliveries = told(self.endpoints, change).deliveries
        if applied and deliveries:
            await asyncio.sleep(BETWEEN_SECONDS)
            await self.store.post(deliveries)
            self.endpoints.ring_for(deliveries)
        return applied

    Service.apply = apply


def claim_without_the_lock() -> None:
    """What others hold is claimed as well, and begun as well."""
    for name, text in queries.QUERIES.items():
        if name == "claim":
            queries.QUERIES[name] = text.replace("AND hold IS NULL ", "").replace(
                "FOR UPDATE SKIP LOCKED", ""
            )

    async def mark(self: Any, transaction: Any, route: Any, request: Any) -> Any:
        change = self.begin(transaction, transaction.attempt + 1, route)
        with suppress(MoveRefused):
            await self.service.apply(change)
        self.leases.hold(change.after.key, self.clock.now())
        return change.after

    attempt.Attempts._mark = mark


def flush_nothing() -> None:
    database._PRAGMAS = database._PRAGMAS.replace("synchronous = FULL", "synchronous = OFF")


WEAK: dict[str, Callable[[], None]] = {
    "nothing": lambda: None,
    "fence": forget_the_fence,
    "outbox": write_the_outbox_apart,
    "claim": claim_without_the_lock,
    "flush": flush_nothing,
    "seal": lambda: None,  # the table `[sealing]` is passed over
}


async def main(given: argparse.Namespace) -> None:
    WEAK[given.weak]()
    raw = tomllib.loads(given.config.read_text())
    if given.weak == "seal":
        del raw["sealing"]
    chosen = settings({**raw, "listen": given.listen})
    limits = msgspec.structs.replace(chosen.policy.limits, lease=int(given.lease * SECOND))
    chosen = msgspec.structs.replace(chosen, policy=msgspec.structs.replace(chosen.policy, limits=limits))

    disk = Disk()

    async def opened(url: str, **more: Any) -> Any:
        if given.power and url.startswith(SQLITE):
            return await SQLiteStore.open(url.removeprefix(SQLITE), vfs=disk.name, **more)
        return await open_served(url, **more)

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    clock = OffClock(given.clock) if given.clock else SystemClock()
    running = await start(chosen, opened=opened, clock=clock)
    await ended.wait()
    if not await running.stop():
        raise SystemExit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weak", choices=WEAK, default="nothing")
    parser.add_argument("--power", action="store_true", help="the disk forgets what was not flushed")
    parser.add_argument("--lease", type=float, default=15.0)
    parser.add_argument("--clock", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--listen")
    logging.basicConfig(level=logging.WARNING)
    uvloop.run(main(parser.parse_args()))
