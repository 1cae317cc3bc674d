"""Hundreds of callers on real connections: all are woken, and of those who leave nothing is left.

`bench/run.py waiters` does the same with thousands, between two processes.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from restante.assembly import start
from restante.assembly.serve import Running
from restante.config import settings
from restante.core.model import Transaction
from restante.gateway.call import Call
from restante.gateway.protocol import Protocol
from restante.outbound.clock import Alarm
from restante.service.waiting import Watch

from .harness import RecordingUpstream

COUNT = 500
SHARED_BY = 25
"""Waiters of one transaction."""

PATIENCE_SECONDS = 60.0
POLL = ("/async/result/{}", "Prefer: wait=20", b'{"done":true}')
STREAM = ("/-/transactions/{}/events", "Accept: text/event-stream", b'"status":"completed"')
KINDS = [POLL, STREAM]
KEPT = (Watch, Alarm, Call, Protocol, Transaction)
"""What each waiter has in memory."""


@asynccontextmanager
async def a_process(folder: Path, upstream: str) -> AsyncIterator[Running]:
    """All of it, in this process, so that what it holds can be counted."""
    raw = {
        "listen": "127.0.0.1:0",
        "store": f"sqlite:///{folder}/restante.db",
        "grace": "0s",
        "max_streams": COUNT,
        "upstream": {"url": upstream},
    }
    thresholds = gc.get_threshold()
    running = await start(settings(raw))
    try:
        yield running
    finally:
        await running.stop()
        gc.set_threshold(*thresholds)
        gc.unfreeze()


class Caller:
    """One connection, and what it asked."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def connect(self) -> "Caller":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    def ask(self, target: str, header: str = "X: y", method: str = "GET") -> "Caller":
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nContent-Length: 0\r\n\r\n"
        self.writer.write(head.encode())
        return self

    async def until(self, end: bytes) -> bytes:
        return await self.reader.readuntil(end)

    def leave(self) -> None:
        self.writer.transport.abort()


async def eventually(fits: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not fits():
            await asyncio.sleep(0.01)


async def submit(port: int, count: int) -> list[str]:
    ids = []
    for _ in range(count):
        caller = (await Caller(port).connect()).ask("/async/work", method="POST")
        await caller.until(b'"request_id":"')
        ids.append((await caller.reader.readexactly(36)).decode())
        caller.leave()
    return ids


def census() -> Counter[type]:
    """How many there are, without a collection: what is in a ring counts as not freed."""
    return Counter(kind for kind in map(type, gc.get_objects()) if kind in KEPT)


async def test_hundreds_wait_all_are_woken_and_who_leaves_leaves_nothing(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_process(tmp_path, upstream.url) as running:
        upstream.gate.clear()
        port = int(running.addresses[0].rpartition(":")[2])
        waiting = running._service.waiting
        ids = await submit(port, COUNT // SHARED_BY)
        await eventually(lambda: len(upstream.calls) == len(ids))
        tasks = len(asyncio.all_tasks())

        async def wait_all() -> list[tuple[Caller, bytes]]:
            connected = [await Caller(port).connect() for _ in range(COUNT)]  # nobody's wait is over by then
            asked = [KINDS[number % len(KINDS)] for number in range(COUNT)]
            callers = [
                (caller.ask(target.format(ids[number % len(ids)]), header), end)
                for number, (caller, (target, header, end)) in enumerate(zip(connected, asked, strict=True))
            ]
            await eventually(lambda: len(waiting) == COUNT)
            return callers

        gc.collect()
        gc.disable()
        try:
            before = census()
            for _ in range(3):
                callers = await wait_all()
                assert len(asyncio.all_tasks()) - tasks == COUNT  # its own request's, and no other
                for caller, _ in callers:
                    caller.leave()
                await eventually(lambda: len(asyncio.all_tasks()) == tasks)
                assert len(waiting) == 0
                await eventually(lambda: not census() - before)
        finally:
            gc.enable()
        callers = await wait_all()
        upstream.gate.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(caller.until(end) for caller, end in callers))
        for caller, _ in callers:
            caller.leave()
        await eventually(lambda: len(waiting) == 0)
