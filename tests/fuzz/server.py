"""A server as it is run, in a process of its own (`python -m tests.fuzz.server`), that says how it is.

It writes one JSON line when it listens, and one for each line that it is given: what it holds, and what its
upstream has been asked. The upstream is in the same process and holds nothing.
"""

import asyncio
import contextlib
import faulthandler
import gc
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE_SECONDS = 30.0
KEPT = 40
"""Handles: both ends of connections to the upstream that are kept for the next request."""

ROOT = Path(__file__).parents[2]

LIST = "/seller/v0/transactions"
SETTINGS: dict[str, Any] = {
    "listen": "127.0.0.1:0",
    "hosts": ["h"],
    "head_timeout": "250ms",  # what breaks off is told so soon
    "body_timeout": "250ms",
    "idle_timeout": "250ms",
    "grace": "1s",
    "routes": [
        {"match": "POST /tickets/*", "dialect": "transaction", "transactions": LIST, "tracking_id": "/id"},
        {"match": "POST /told/*", "callback": "/url", "tracking_id": "X-Order"},
    ],
    "webhooks": {"allow": ["127.0.0.0/8"], "schedule": ["0s"], "max_endpoints": 1000},
}


class Held:
    """What a process holds."""

    def __init__(self, told: dict[str, int]) -> None:
        self.tasks = told["tasks"]
        self.handles = told["handles"]
        self.blocks = told["blocks"]
        self.memory_kib = told["memory_kib"]
        self.asked = told["asked"]

    def __str__(self) -> str:
        return f"{self.tasks} tasks, {self.handles} handles, {self.blocks} blocks, {self.memory_kib} KiB"


class Served:
    """The process, from outside. Use it as a context."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.server", str(folder / "restante.db")],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.port = 0

    def __enter__(self) -> "Served":
        self.port = self._heard()["port"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(PATIENCE_SECONDS)
        finally:
            self._child.kill()

    def held(self) -> Held:
        """What it holds now, after what was idle has gone."""
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        return Held(self._heard())

    def log(self) -> str:
        return self._log.read_text()

    def stack(self) -> str:
        """What it is doing just now."""
        self._child.send_signal(signal.SIGUSR1)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(1.0)
        return self.log()[-4000:]

    def _heard(self) -> dict[str, int]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, self.log()
        heard: dict[str, int] = json.loads(line)
        return heard


def sound(before: Held, after: Held, log: str) -> None:
    """Nothing was left behind, and nothing was unforeseen."""
    for word in ("Traceback", " ERROR ", " CRITICAL ", "unforeseen", "never awaited", "never retrieved"):
        assert word not in log, log[max(log.find(word) - 2000, 0) :][:6000]
    assert after.tasks <= before.tasks + 3, f"{before} → {after}"
    assert after.handles <= before.handles + KEPT, f"{before} → {after}"
    assert after.memory_kib <= before.memory_kib + 48 * 1024, f"{before} → {after}"
    assert after.blocks <= before.blocks * 1.5 + 100_000, f"{before} → {after}"


# -- inside


class Upstream(asyncio.Protocol):
    """Answers every request alike; what it was asked is a number."""

    asked = 0
    answer = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"id":"a1"}'

    def __init__(self) -> None:
        from httptools import HttpRequestParser

        self.parser = HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        Upstream.asked += 1
        self.transport.write(self.answer)


async def here(name: str) -> list[str]:
    """Where every name leads."""
    return ["127.0.0.1"]


async def run(store: str) -> None:
    from restante.assembly.serve import start
    from restante.cli.logs import set_up_logs
    from restante.config import settings
    from restante.outbound import HTTPCourier

    set_up_logs("info")
    loop = asyncio.get_running_loop()
    upstream = await loop.create_server(Upstream, "127.0.0.1", 0)
    port = upstream.sockets[0].getsockname()[1]
    raw = {**SETTINGS, "store": f"sqlite:///{store}", "upstream": {"url": f"http://127.0.0.1:{port}"}}
    read = settings(raw)
    running = await start(read, courier=HTTPCourier(read.policy.webhooks, resolve=here))
    say({"port": int(running.addresses[0].rpartition(":")[2])})
    while await asyncio.to_thread(sys.stdin.readline):
        await asyncio.sleep(1.0)  # what is idle goes, what is under way ends
        gc.collect()
        say(look())
    await running.stop()
    upstream.close()


def look() -> dict[str, int]:
    memory = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)
    return {
        "tasks": len(asyncio.all_tasks()),
        "handles": len(os.listdir("/proc/self/fd")),
        "blocks": sys.getallocatedblocks(),
        "memory_kib": int(memory.split()[1]),
        "asked": Upstream.asked,
    }


def say(content: dict[str, int]) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    import uvloop

    faulthandler.register(signal.SIGUSR1)
    uvloop.run(run(sys.argv[1]))
