"""What waiting costs: `python bench/waiters.py [--count 5000] [--transactions 100] [--idle 10]`.

One server process, `count` connections to it from this one. Printed for bare connections that ask nothing,
for long-polls (`Prefer: wait=20`) and for event streams, each twice in a process of its own, are

    memory     of the server process, per connection (its resident size before and after)
    idle       processor time of the server while they all wait (a stream is sent a comment every 15 s)
    woken      how long after their transactions were let end each of them had its answer
    left       what the memory has come back to after all have gone (the allocator keeps pages for the next)

The transactions wait at an upstream that answers all of them when it is told to.
"""

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import uvloop

PORT = 8613
OPENING = 200
"""Connections that are opened at once: fewer than the server lets wait."""
PATIENCE_SECONDS = 60.0
PAGE_KIB = resource.getpagesize() / 1024
TICKS = os.sysconf("SC_CLK_TCK")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Upstream(asyncio.Protocol):
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


class Server:
    """The process that is measured."""

    def __init__(self, folder: str, upstream: int, count: int, transactions: int) -> None:
        config = Path(folder, "restante.toml")
        config.write_text(
            f'listen = "127.0.0.1:{PORT}"\nstore = "sqlite:///{folder}/restante.db"\n'
            f"max_streams = {count}\n[upstream]\n"
            f'url = "http://127.0.0.1:{upstream}"\nconcurrency = {transactions}\ntimeout = "1h"\n'
        )
        command = [sys.executable, "-m", "restante", "serve", "--config", str(config)]
        self.child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.proc = Path(f"/proc/{self.child.pid}")

    async def ready(self) -> None:
        health = b"GET /-/healthz HTTP/1.1\r\nHost: bench\r\n\r\n"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    await ask(health, lambda seen: seen.endswith(b"}"))
                    return
                except OSError:
                    await asyncio.sleep(0.1)

    def resident_kib(self) -> float:
        return int((self.proc / "statm").read_text().split()[1]) * PAGE_KIB

    def processor_seconds(self) -> float:
        fields = (self.proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def handles(self) -> int:
        return len(os.listdir(self.proc / "fd"))

    async def settled(self) -> float:
        """The resident size once it does not change any more."""
        before = -1.0
        while (now := self.resident_kib()) != before:
            before = now
            await asyncio.sleep(0.5)
        return now


async def ask(request: bytes, fits: Callable[[bytes], bool]) -> bytes:
    """One request on a connection of its own."""
    loop = asyncio.get_running_loop()
    transport, waiter = await loop.create_connection(lambda: Waiter(request, fits), "127.0.0.1", PORT)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await waiter.done
    transport.close()
    return waiter.came


async def until(fits: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not fits():  # noqa: ASYNC110  (another process is looked at)
            await asyncio.sleep(0.05)


async def open_all(requests: list[bytes], fits: Callable[[bytes], bool]) -> list[Waiter]:
    loop = asyncio.get_running_loop()
    waiters: list[Waiter] = []
    for start in range(0, len(requests), OPENING):
        made = (
            loop.create_connection(lambda request=request: Waiter(request, fits), "127.0.0.1", PORT)
            for request in requests[start : start + OPENING]
        )
        waiters += [waiter for _, waiter in await asyncio.gather(*made)]
    return waiters


async def submit(count: int) -> list[str]:
    """So many transactions, all of them waiting at the upstream."""
    request = b"POST /async/work HTTP/1.1\r\nHost: bench\r\nContent-Length: 2\r\n\r\n{}"
    came = await asyncio.gather(*(ask(request, lambda seen: seen.endswith(b"}")) for _ in range(count)))
    await until(lambda: len(Upstream.held) == count)
    return [text.partition(b'"request_id":"')[2][:36].decode() for text in came]


async def measure(server: Server, name: str, count: int, transactions: int, idle_seconds: float) -> None:
    ids = await submit(transactions) if name != "connections" else [""]
    target, header, end = {
        "connections": ("", "", b""),
        "long-polls": ("/async/result/{}", "Prefer: wait=20", b"\r\n\r\n{}"),
        "streams": ("/-/transactions/{}/events", "Accept: text/event-stream", b'"status":"completed"'),
    }[name]

    def request(number: int) -> bytes:
        if not target:
            return b""
        path = target.format(ids[number % len(ids)])
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode()

    before = await server.settled()
    begun = time.monotonic()
    waiters = await open_all(
        [request(number) for number in range(count)], lambda seen: bool(end) and end in seen
    )
    if name == "streams":
        await asyncio.gather(*(waiter.begun for waiter in waiters))
    await until(lambda: server.handles() > count)
    opened = time.monotonic() - begun
    await asyncio.sleep(1)
    full = server.resident_kib()
    used, since = server.processor_seconds(), time.monotonic()
    await asyncio.sleep(
        min(idle_seconds, max(0.0, 17 - (since - begun))) if name == "long-polls" else idle_seconds
    )
    busy = (server.processor_seconds() - used) / (time.monotonic() - since)
    late: list[float] = []
    if end:
        assert not any(waiter.done.done() for waiter in waiters)
        let = time.monotonic()
        Upstream.let_go()
        async with asyncio.timeout(PATIENCE_SECONDS):
            late = sorted(moment - let for moment in await asyncio.gather(*(one.done for one in waiters)))
    for waiter in waiters:
        waiter.transport.close()
    await until(lambda: server.handles() < transactions + 100)
    left = await server.settled()
    each = (full - before) / count
    print(
        f"{name:<12} {count} opened in {opened:.1f} s, {each:5.1f} KiB each, idle {busy:5.1%} of a core",
        end="",
    )
    if late:
        p50, p99 = statistics.median(late), late[int(len(late) * 0.99)]
        print(f", woken after p50 {p50:.2f} s, p99 {p99:.2f} s, all {late[-1]:.2f} s", end="")
    print(
        f"; memory {before / 1024:.0f} → {full / 1024:.0f} → {left / 1024:.0f} MiB when they have left",
        flush=True,
    )


async def main(count: int, transactions: int, idle_seconds: float, rounds: int) -> None:
    upstream = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    for name in ("connections", "long-polls", "streams"):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder, upstream.sockets[0].getsockname()[1], count, transactions)
            try:
                await server.ready()
                for _ in range(rounds):
                    await measure(server, name, count, transactions, idle_seconds)
            finally:
                server.child.terminate()
                server.child.wait(60)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--transactions", type=int, default=100)
    parser.add_argument("--idle", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(main(given.count, given.transactions, given.idle, given.rounds))
