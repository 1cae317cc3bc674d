"""What it costs to get rid of results past their retention while accepts go on; see `ABOUT`."""

import argparse
import asyncio
import contextlib
import time

import fill
from ends import Stores, serve, upstream
from load import until, wrk
from record import Record, Rounds, record

TITLE = "Retention"
ABOUT = """\
A store with a million results past their retention, and one without. A server that starts on the first
sweeps them, while accepts come in as fast as they are answered. On PostgreSQL whole partitions are dropped,
those of results first. *swept* is how many results had gone when the accepts were over, or where none had,
when the first had; the rest goes on after them.
"""

NOTHING, SWEEPING = "nothing to sweep", "sweeping"
EXPIRED = 1_000_000
SECONDS = 2


def measure(stores: Stores, options: argparse.Namespace) -> Record:
    rounds = Rounds()
    for kind in options.stores:
        with contextlib.ExitStack() as kept:
            full, small = (kept.enter_context(stores.fresh(kind)) for _ in range(2))
            asyncio.run(fill.fill(full, expired=EXPIRED))
            asyncio.run(fill.fill(small))
            for _ in range(options.rounds):
                for name, like in ((NOTHING, small), (SWEEPING, full)):
                    a_round(rounds, stores, name, kind, like)
    targets = [
        target
        for kind in options.stores
        for target in rounds.target(
            f"accept on {kind} while sweeping",
            0.9,
            ">=",
            (SWEEPING, kind, "accept"),
            (NOTHING, kind, "accept"),
        )
    ]
    return record("sweep", TITLE, ABOUT, rounds.rows, rounds=options.rounds, targets=targets)


def a_round(rounds: Rounds, stores: Stores, name: str, kind: str, like: str) -> None:
    with stores.fresh(kind, like=like) as url:
        before = asyncio.run(fill.results(url))
        with upstream("--silent") as behind, serve(url, behind.port) as server:
            begun = time.perf_counter()
            rounds.add(name, "accept", wrk(server.port, SECONDS)[0], unit="1/s", store=kind)
            if name == SWEEPING:
                until(lambda: asyncio.run(fill.results(url)) < before, pause=0.1)
                gone = before - asyncio.run(fill.results(url))
                rounds.add(name, "swept", gone / (time.perf_counter() - begun), unit="1/s", store=kind)
            server.kill()
