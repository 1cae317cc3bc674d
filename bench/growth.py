"""What accepts, lives and polls cost in a store that has grown; see `ABOUT`."""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Iterator

import fill
from ends import Process, Stores, serve, upstream
from load import Line, answered, until, wrk
from record import Record, Rounds, record

TITLE = "Growth"
LIVES_AT_ONCE = 16
ABOUT = f"""\
Accepts, polls and whole lives (from {LIVES_AT_ONCE} connections; each for a second) in an empty store and
in stores that were filled with transactions that are finished, with all their events, requests and results,
or that wait for their turn (`bench/fill.py`). Polls are of 5,000 ids from all over the store, each of which
was asked for before: what the disk costs him who asks for what nobody has asked for in a long time is
another matter. A whole life in front of which a million waits is any one's. What came in is removed again
after each round, and every other round goes the other way round. *cost*: processor time of all of the
server's processes for one; where a machine has more to do, that can be trusted more than how many there
were in a second.
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
            cases = list(zip((name for name, _, _ in sizes), urls, filled, strict=True))
            for number in range(options.rounds):
                for name, url, found in cases if number % 2 == 0 else reversed(cases):
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
            paths = [f"/async/{what}/{id}" for id in filled.ids]
            with Line(server.port) as line:
                for path in paths:
                    line.ask("GET", path)
            with cost(rounds, name, what, kind, server) as count:
                count += wrk(server.port, 1, paths=paths)
        with cost(rounds, name, "accept", kind, server) as count:
            count += wrk(server.port, 1)
        server.kill()  # it would wait for the upstream
    asyncio.run(fill.cut(url, filled.last_key))
    os.sync()
    with upstream() as behind, serve(url, behind.port) as server:
        with cost(rounds, name, "life", kind, server) as count:
            begun, before = time.perf_counter(), answered(behind.port)
            _, came = wrk(server.port, 1, connections=LIVES_AT_ONCE)
            until(lambda: answered(behind.port) - before >= came)
            lived, took = answered(behind.port) - before, time.perf_counter() - begun
            count += lived / took, lived
        server.kill()
    asyncio.run(fill.cut(url, filled.last_key))


@contextlib.contextmanager
def cost(rounds: Rounds, name: str, what: str, kind: str, server: Process) -> Iterator[list[float]]:
    """Is given how many there were in a second, and altogether."""
    before = server.processor_seconds()
    found: list[float] = []
    yield found
    rate, count = found
    spent = server.processor_seconds() - before
    rounds.add(name, what, rate, unit="1/s", store=kind)
    rounds.add(name, f"{what} cost", spent / count * 1_000_000, unit="µs", store=kind)
