"""What waiting costs: idle long polls and event streams, over real sockets; see `ABOUT`."""

import argparse
import asyncio
import contextlib
import resource
import time
from collections.abc import Callable
from typing import ClassVar

import uvloop
from ends import Process, Stores, serve
from load import quantile
from record import Record, Rounds, Target, record

TITLE = "Waiters"
ABOUT = """\
So many connections, each of which waits for one of 100 transactions that an upstream holds: with `Prefer:
wait=20` for the result, or with a live stream of events. All settings are the defaults. (A server keeps some
handles for attempts and plain paths: where the system's limit is low, they are fewer than 10,000.) *memory*:
what the server's processes have more than before, for each, and beside it bare connections that ask nothing.
*idle*: the processor time while all wait, as a part of one core. *woken*: how long after the upstream
answered half of them, 99 %, and all had their answer. *refused*: how many had a 503 instead.
"""

COUNTS = (5_000, 10_000)
TRANSACTIONS = 100
OPENING = 200
"""Connections that are opened at once: fewer than the server lets wait."""
KEPT = 1000
"""Handles that are not for callers, in the server and here."""

TRIES = 3
IDLE_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 503 "
MOST_KIB = 16.0

BARE = "bare connection"
KINDS = {
    BARE: ("", "", b""),
    "long poll": ("/async/result/{}", "Prefer: wait=20", b"\r\n\r\n{}"),
    "stream": ("/-/transactions/{}/events", "Accept: text/event-stream", b'"status":"completed"'),
}
"""What is asked, and how its end is known."""


class Held(asyncio.Protocol):
    """Holds every request until `let_go`."""

    held: ClassVar[set[asyncio.Transport]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if b"\r\n\r\n" in data:
            self.held.add(self.transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.held.discard(self.transport)

    @classmethod
    def let_go(cls) -> None:
        for transport in cls.held:
            transport.write(ANSWER)
        cls.held.clear()


class Waiter(asyncio.Protocol):
    """One connection, and what it asks. It is done when `fits` finds the end in what has come."""

    def __init__(self, request: bytes, fits: Callable[[bytes], bool]) -> None:
        self.request, self.fits = request, fits
        self.came = b""
        self.begun = asyncio.get_running_loop().create_future()
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.came += data
        if not self.begun.done():
            self.begun.set_result(None)
        if not self.done.done() and self.fits(self.came):
            self.done.set_result(time.monotonic())

    def connection_lost(self, error: Exception | None) -> None:
        for future in self.begun, self.done:
            future.cancel()


def measure(stores: Stores, options: argparse.Namespace) -> Record:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    counts = sorted({min(count, (hard - KEPT) * 7 // 8) for count in COUNTS})
    try:
        rounds = uvloop.run(all_rounds(stores, options, counts))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    targets = [
        Target(name=f"KiB of {row.name} on {row.store}", asked=MOST_KIB, sense="<=", reached=max(row.values))
        for row in rounds.rows
        if row.what == "memory" and BARE not in row.name
    ]
    return record("waiters", TITLE, ABOUT, rounds.rows, rounds=options.rounds, targets=targets)


async def all_rounds(stores: Stores, options: argparse.Namespace, counts: list[int]) -> Rounds:
    rounds = Rounds()
    upstream = await asyncio.get_running_loop().create_server(Held, "127.0.0.1", 0)
    port = upstream.sockets[0].getsockname()[1]
    for number in range(options.rounds):
        for kind in options.stores:
            for name in KINDS:
                for count in counts if kind == options.stores[0] else counts[-1:]:
                    if name == BARE and (number, count, kind) != (0, counts[-1], options.stores[0]):
                        continue  # it is the same whatever stands behind it
                    for _ in range(TRIES):
                        if await a_round(rounds, stores, port, kind, name, count):
                            break
                    else:
                        raise SystemExit("this machine is too busy to have them all wait at once")
    upstream.close()
    return rounds


async def a_round(rounds: Rounds, stores: Stores, behind: int, kind: str, name: str, count: int) -> bool:
    """False: they had to wait longer than a server lets them, before all were there."""
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        # Both start and end by waiting; nothing else goes on meanwhile.
        url = await loop.run_in_executor(None, stack.enter_context, stores.fresh(kind))
        server = serve(url, behind, concurrency=TRANSACTIONS, timeout="1h")
        await loop.run_in_executor(None, stack.enter_context, server)
        found = await wait(server, name, count)
        server.kill()
        Held.held.clear()
        await loop.run_in_executor(None, stack.close)
    for what, (value, unit) in found.items():
        rounds.add(f"{count:,} × {name}", what, value, unit=unit, store=kind)
    return bool(found)


async def wait(server: Process, name: str, count: int) -> dict[str, tuple[float, str]]:
    """What was found, with units; nothing where some were answered too early."""
    target, header, end = KINDS[name]
    ids = await submit(server.port, TRANSACTIONS if target else 1)

    def request(number: int) -> bytes:
        path = target.format(ids[number % len(ids)])
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode() if target else b""

    before = await settled(server)
    waiters = await open_all(
        server.port,
        [request(number) for number in range(count)],
        lambda seen: bool(end) and (end in seen or seen.startswith(REFUSED)),
    )
    if name == "stream":
        await asyncio.gather(*(waiter.begun for waiter in waiters))
    await until(lambda: server.handles() > count)
    full = await settled(server)
    used, since = server.processor_seconds(), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    busy = (server.processor_seconds() - used) / (time.monotonic() - since)
    found = {"memory": ((full - before) / count, "KiB"), "idle": (busy * 100, "% of a core")}
    let = time.monotonic()
    if end:
        if name == "long poll" and any(waiter.came for waiter in waiters):
            return {}
        Held.let_go()
        async with asyncio.timeout(PATIENCE_SECONDS):
            late = sorted(moment - let for moment in await asyncio.gather(*(one.done for one in waiters)))
        refused = sum(waiter.came.startswith(REFUSED) for waiter in waiters)
        found["woken, half"] = quantile(late, 0.5), "s"
        found["woken, 99 %"] = quantile(late, 0.99), "s"
        found["woken, all"] = late[-1], "s"
        found["refused"] = refused / count * 100, "%"
    for waiter in waiters:
        waiter.transport.abort()
    return found


async def settled(server: Process) -> float:
    """The resident size once it does not change any more."""
    before = -1.0
    while abs((now := server.resident_kib()) - before) > 64:
        before = now
        await asyncio.sleep(0.3)
    return now


async def until(fits: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not fits():  # noqa: ASYNC110  (another process is looked at)
            await asyncio.sleep(0.05)


async def open_all(port: int, requests: list[bytes], fits: Callable[[bytes], bool]) -> list[Waiter]:
    loop = asyncio.get_running_loop()
    waiters: list[Waiter] = []
    for start in range(0, len(requests), OPENING):
        made = (
            loop.create_connection(lambda request=request: Waiter(request, fits), "127.0.0.1", port)
            for request in requests[start : start + OPENING]
        )
        waiters += [waiter for _, waiter in await asyncio.gather(*made)]
    return waiters


async def submit(port: int, count: int) -> list[str]:
    """So many transactions, all of them waiting at the upstream."""
    request = b"POST /async/work HTTP/1.1\r\nHost: bench\r\nContent-Length: 2\r\n\r\n{}"
    made = await open_all(port, [request] * count, lambda seen: seen.endswith(b"}"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(one.done for one in made))
    for one in made:
        one.transport.close()
    await until(lambda: len(Held.held) == count)
    return [one.came.partition(b'"request_id":"')[2][:36].decode() for one in made]
