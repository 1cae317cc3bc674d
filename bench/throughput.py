"""Accepts, whole lives, latency and polls, and their limits beside them; see `ABOUT`."""

import argparse
import asyncio
import time

import fill
import sender
import store as lives
import uvloop
from ends import POSTGRESQL, SQLITE, Stores, limit, serve, upstream
from load import CONNECTIONS, HELD, Line, answered, latencies, quantile, until, wrk
from record import Record, Rounds, record

from restante.assembly.store import open_store
from restante.core.policy import Limits

TITLE = "Accepts, whole lives, polls"
ABOUT = f"""\
**accept**: `POST /async/echo` with 300 bytes of JSON from {CONNECTIONS} connections (wrk, on the second
core with the upstream, which is silent). **life**: the same for one second in front of an upstream that
answers at once; from the first submit to the last stored result, all of them. **status**, **result**: polls
of 500 finished ones. **latency**: one client, one request after the other, from the first byte of the
submit to the last byte of the result: held (`Prefer: wait=20`) or polled without a pause.

Beside them the limits. *constant*: the same server answers the same bytes and stores nothing, by an
application that reads the request; *constant, no task*: the same by the short way that accepts take inside
of it. *plain proxy*: that server, and the HTTP client that Restante uses, straight to the upstream. *group
commit alone*: {CONNECTIONS} coroutines write to the store, without HTTP. *client alone*: {CONNECTIONS}
calls in a bare loop of the same HTTP client. *One core*: the server is confined to one, and writes in a
thread.
"""

QUANTILES = (10, 25, 50, 75, 90, 95, 99)
POLLED = 500
LATENCIES = 300

RATIOS = (
    (
        "accept on SQLite, one core, of constant",
        0.6,
        ("one core", SQLITE, "accept"),
        ("constant", "-", "accept"),
    ),
    (
        "accept on SQLite, two cores, of constant",
        0.9,
        ("Restante", SQLITE, "accept"),
        ("constant", "-", "accept"),
    ),
    (
        "accept on PostgreSQL of constant",
        0.5,
        ("Restante", POSTGRESQL, "accept"),
        ("constant", "-", "accept"),
    ),
    ("life on SQLite of client alone", 0.6, ("Restante", SQLITE, "life"), ("client alone", "-", "life")),
    (
        "life on PostgreSQL of client alone",
        0.6,
        ("Restante", POSTGRESQL, "life"),
        ("client alone", "-", "life"),
    ),
)
"""What is asked for, as a part of what."""


def measure(stores: Stores, options: argparse.Namespace) -> Record:
    rounds = Rounds()
    for _ in range(options.rounds):
        a_round(rounds, stores, options)
    targets = [
        target
        for name, asked, above, below in RATIOS
        for target in rounds.target(name, asked, ">=", above, below)
    ]
    return record("throughput", TITLE, ABOUT, rounds.rows, rounds=options.rounds, targets=targets)


def a_round(rounds: Rounds, stores: Stores, options: argparse.Namespace) -> None:
    seconds = options.seconds
    for app, name in (("constant", "constant"), ("direct", "constant, no task")):
        with limit(app) as server:
            rounds.add(name, "accept", wrk(server.port, seconds)[0], unit="1/s")
    accepts(rounds, stores, SQLITE, seconds, core=0)
    for kind in options.stores:
        accepts(rounds, stores, kind, seconds)
        alone(rounds, stores, kind)
    with upstream() as behind:
        calls = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        with calls:
            rate, _ = calls.run(sender.measure(lambda: sender.restante(behind.port), seconds))
        rounds.add("client alone", "life", rate, unit="1/s")
        with limit("proxy", behind.port) as server:
            rounds.add("plain proxy", "life", wrk(server.port, seconds, "/echo")[0], unit="1/s")
            spread(rounds, "plain proxy", "-", calls_of(server.port, LATENCIES))
    for kind in options.stores:
        whole(rounds, stores, kind)


def accepts(rounds: Rounds, stores: Stores, kind: str, seconds: int, *, core: int | None = None) -> None:
    name = "Restante" if core is None else "one core"
    with (
        stores.fresh(kind) as url,
        upstream("--silent") as behind,
        serve(url, behind.port, core=core) as server,
    ):
        rounds.add(name, "memory at start", server.resident_kib() / 1024, unit="MiB", store=kind)
        rounds.add(name, "accept", wrk(server.port, seconds)[0], unit="1/s", store=kind)
        server.kill()  # it would wait for the upstream


def alone(rounds: Rounds, stores: Stores, kind: str) -> None:
    """What the store does without a server around it."""
    for what, work in (("accept", lives.accept), ("life", lives.live)):
        with stores.fresh(kind) as url:
            rate = uvloop.run(commits(url, what, work))
            rounds.add("group commit alone", what, rate, unit="1/s", store=kind)


async def commits(url: str, what: str, work) -> float:  # type: ignore[no-untyped-def]
    store = await open_store(url, limits=Limits(max_queued=1 << 40))
    keys: list[int] = []
    try:
        return await lives.measure(store, what, lambda _: work(store, keys), CONNECTIONS, 1, False)
    finally:
        await store.close()


def whole(rounds: Rounds, stores: Stores, kind: str) -> None:
    with stores.fresh(kind) as url, upstream() as behind, serve(url, behind.port) as server:
        rounds.add("Restante", "life", life(server.port, behind.port, url), unit="1/s", store=kind)
        with Line(server.port) as line:
            ids = [line.submit() for _ in range(POLLED)]
            line.result(ids[-1], HELD)
        for what in ("status", "result"):
            rate, _ = wrk(server.port, 1, paths=[f"/async/{what}/{id}" for id in ids])
            rounds.add("Restante", what, rate, unit="1/s", store=kind)
        spread(rounds, "Restante, held", kind, latencies(server.port, LATENCIES, HELD))
        spread(rounds, "Restante, polled", kind, latencies(server.port, LATENCIES))


def life(port: int, behind: int, url: str) -> float:
    """Whole lives per second, in a store that was empty."""
    begun = time.perf_counter()
    _, count = wrk(port, 1)
    until(lambda: answered(behind) >= count)
    until(lambda: asyncio.run(fill.progress(url))[0] == 0)
    took = time.perf_counter() - begun
    _, completed = asyncio.run(fill.progress(url))
    if completed < count:
        raise SystemExit(f"only {completed} of {count} completed")
    return completed / took


def calls_of(port: int, count: int) -> list[float]:
    """Milliseconds of plain calls, sorted."""
    times = []
    with Line(port) as line:
        for _ in range(count):
            begun = time.perf_counter()
            line.ask("POST", "/echo", lives.BODY)
            times.append((time.perf_counter() - begun) * 1000)
            time.sleep(0.001)
    return sorted(times)


def spread(rounds: Rounds, name: str, kind: str, times: list[float]) -> None:
    for part in QUANTILES:
        value = quantile(times, part / 100)
        rounds.add(name, f"latency p{part}", value, unit="ms", store=kind)
