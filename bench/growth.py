"""What accepts, lives and polls cost in a store that has grown; see `ABOUT`."""

import argparse
import asyncio
import contextlib
import os
import sys
import time

import fill
from ends import Stores, serve, upstream
from load import answered, until, wrk
from record import Record, Rounds, record

TITLE = "Growth"
LIVES_AT_ONCE = 16
ABOUT = f"""\
Accepts, polls and whole lives (from {LIVES_AT_ONCE} connections; each for a second) in an empty store and
in stores that were filled with transactions that are finished, with all their events, requests and results,
or that wait for their turn (`bench/fill.py`). Polls are of 5,000 ids from all over the store. A whole life
in front of which a million waits is any one's: as many are run as came in. What came in is removed again
after each round.
"""

MILLION = 1_000_000
EMPTY = "empty"
MEASURED = ("accept", "life", "status", "result")


def measure(stores: Stores, options: argparse.Namespace) -> Record:
    rounds = Rounds()
    sizes = [(EMPTY, 0, 0)]
    sizes += [(f"{millions} million finished", millions * MILLION, 0) for millions in options.millions]
    sizes.append(("1 million queued", 0, MILLION))
    for kind in options.stores:
        with contextlib.ExitStack() as kept:
            urls = [kept.enter_context(stores.fresh(kind)) for _ in sizes]
            begun = time.monotonic()
            filled = asyncio.run(fill_all(urls, sizes))
            print(f"{kind}: filled in {time.monotonic() - begun:.0f} s", file=sys.stderr)
            for _ in range(options.rounds):
                for (name, _, _), url, found in zip(sizes, urls, filled, strict=True):
                    a_round(rounds, name, kind, url, found)
    targets = [
        target
        for kind in options.stores
        for name, _, _ in sizes[1:]
        for what in MEASURED
        for target in rounds.target(
            f"{what} on {kind}, {name}, of empty", 0.9, ">=", (name, kind, what), (EMPTY, kind, what)
        )
    ]
    return record("growth", TITLE, ABOUT, rounds.rows, rounds=options.rounds, targets=targets)


async def fill_all(urls: list[str], sizes: list[tuple[str, int, int]]) -> list[fill.Filled]:
    """A PostgreSQL has a core for each of two."""
    return await asyncio.gather(
        *(
            fill.fill(url, finished=finished or fill.ASKED, queued=queued)
            for url, (_, finished, queued) in zip(urls, sizes, strict=True)
        )
    )


def a_round(rounds: Rounds, name: str, kind: str, url: str, filled: fill.Filled) -> None:
    os.sync()  # or the commits that are measured would wait for what was filled and removed
    with upstream("--silent") as behind, serve(url, behind.port) as server:
        for what in ("status", "result"):
            rate, _ = wrk(server.port, 1, paths=[f"/async/{what}/{id}" for id in filled.ids])
            rounds.add(name, what, rate, unit="1/s", store=kind)
        rounds.add(name, "accept", wrk(server.port, 1)[0], unit="1/s", store=kind)
        server.kill()  # it would wait for the upstream
    asyncio.run(fill.cut(url, filled.last_key))
    os.sync()
    with upstream() as behind, serve(url, behind.port) as server:
        begun, before = time.perf_counter(), answered(behind.port)
        _, count = wrk(server.port, 1, connections=LIVES_AT_ONCE)
        until(lambda: answered(behind.port) - before >= count)
        rounds.add(name, "life", count / (time.perf_counter() - begun), unit="1/s", store=kind)
        server.kill()
    asyncio.run(fill.cut(url, filled.last_key))
