"""Speed of the outbound sender beside other clients: `python bench/sender.py [--rounds 10] [--seconds 1]`.

One run, interleaved rounds, medians. 64 calls are in flight: POST, 300-byte body, an upstream in another
process (and on another core, where there are two) that answers at once. Each call reads the whole answer.
aiohttp and pyreqwest are measured where they are installed; Restante needs neither.
"""

import argparse
import asyncio
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import uvloop

from restante.core.policy import Upstream
from restante.outbound import HTTPSender

IN_FLIGHT = 64
PORT = 9613
BODY = b'{"request":{"amount":100,"currency":"USD","description":"%b"}}' % (b"x" * 240)
HEADERS = (
    ("Host", f"127.0.0.1:{PORT}"),
    ("Content-Type", "application/json"),
    ("Accept", "application/json"),
    ("User-Agent", "bench"),
    ("Authorization", "Basic MTIzOjQ1Ng=="),
    ("Idempotency-Key", "1c2a6f5e-0d1b-8000-8000-000000000001"),
)

Call = Callable[[], Awaitable[None]]
Client = Callable[[], AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def restante(port: int = PORT) -> AsyncIterator[Call]:
    upstream = Upstream(host="127.0.0.1", port=port, authority=f"127.0.0.1:{port}")
    headers = tuple((name.encode(), value.encode()) for name, value in HEADERS)
    sender = HTTPSender()

    async def call() -> None:
        line = await sender.connect(upstream, max_idle_seconds=2, timeout_seconds=10)
        answer = await line.send("POST", "/echo", headers, BODY, size=len(BODY), timeout_seconds=60)
        size = 0
        async for piece in answer.body():
            size += len(piece)
        assert answer.status == 200 and size

    yield call
    await sender.close()


@asynccontextmanager
async def aiohttp() -> AsyncIterator[Call]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    session = aiohttp.ClientSession(
        connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=60)
    )

    async def call() -> None:
        async with session.post(
            f"http://127.0.0.1:{PORT}/echo", data=BODY, headers=HEADERS, allow_redirects=False
        ) as answer:
            assert await answer.read() and answer.status == 200

    async with session:
        yield call


@asynccontextmanager
async def pyreqwest() -> AsyncIterator[Call]:
    from pyreqwest.client import ClientBuilder

    async with ClientBuilder().build() as client:

        async def call() -> None:
            request = client.post(f"http://127.0.0.1:{PORT}/echo").headers(HEADERS).body_bytes(BODY).build()
            answer = await request.send()
            assert await answer.bytes() and answer.status == 200

        yield call


async def measure(client: Client, seconds: float) -> tuple[float, float]:
    """Calls per second, and the processor's microseconds per call in this process; after a short start."""
    done = 0
    stop_at = 0.0

    async def work(call: Call) -> None:
        nonlocal done
        while time.perf_counter() < stop_at:
            await call()
            done += 1

    async with client() as call:
        await asyncio.gather(*(call() for _ in range(IN_FLIGHT)))
        begun, worked = time.perf_counter(), time.process_time()
        stop_at = begun + seconds
        await asyncio.gather(*(work(call) for _ in range(IN_FLIGHT)))
        took, worked = time.perf_counter() - begun, time.process_time() - worked
        return done / took, worked / done * 1_000_000


def installed(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--plain", action="store_true", help="asyncio's own loop in place of uvloop")
    options = parser.parse_args()
    clients: dict[str, Client] = {"restante": restante}
    clients |= {c.__name__: c for c in (aiohttp, pyreqwest) if installed(c.__name__)}
    cores = sorted(os.sched_getaffinity(0))
    upstream = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "upstream.py"), str(PORT)], stdout=subprocess.PIPE
    )
    try:
        assert upstream.stdout is not None
        upstream.stdout.readline()
        if len(cores) > 1:
            os.sched_setaffinity(upstream.pid, {cores[1]})
            os.sched_setaffinity(0, {cores[0]})
        factory = asyncio.new_event_loop if options.plain else uvloop.new_event_loop
        rates: dict[str, list[float]] = {name: [] for name in clients}
        costs: dict[str, list[float]] = {name: [] for name in clients}
        for _ in range(options.rounds):
            for name, client in clients.items():
                with asyncio.Runner(loop_factory=factory) as runner:
                    rate, cost = runner.run(measure(client, options.seconds))
                    rates[name].append(rate)
                    costs[name].append(cost)
    finally:
        upstream.kill()
        upstream.wait()
    print(
        f"CPython {platform.python_version()}, {IN_FLIGHT} in flight, "
        f"{'asyncio' if options.plain else 'uvloop'}, {options.rounds} rounds of {options.seconds:g} s"
    )
    middle = {name: (statistics.median(rates[name]), statistics.median(costs[name])) for name in clients}
    our_rate, our_cost = middle["restante"]
    for name, (rate, cost) in middle.items():
        print(
            f"{name:<10} {rate:>7,.0f}/s   restante {our_rate / rate:.2f} times   "
            f"cpu {cost:>4.0f} us a call   restante {cost / our_cost:.2f} times"
        )


if __name__ == "__main__":
    main()
