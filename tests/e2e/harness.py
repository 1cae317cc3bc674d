"""Both ends, for real: an upstream that records what reaches it, and Restante as a process on a port."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from .. import forked
from ..insisting import caller

START_SECONDS = 15.0
END_SECONDS = 15.0
PAUSE_SECONDS = 0.01

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + b'{"done":true}'


class Call:
    """One request as the upstream saw it. Header names in lower case."""

    def __init__(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class RecordingUpstream:
    """Answers each request with what `answer(call)` gives: raw bytes, or None to hang up.

    While `gate` is cleared, requests are recorded and kept waiting.
    """

    def __init__(self, answer: Callable[[Call], bytes | None] = lambda call: OK) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()

    async def __aenter__(self) -> "RecordingUpstream":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._tasks: set[asyncio.Task] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.rstrip().split("\r\n")
                method, target, _ = first.split(" ")
                headers = [(k.lower(), v.strip()) for k, v in (line.split(":", 1) for line in lines)]
                size = int(dict(headers).get("content-length", "0"))
                call = Call(method, target, headers, await reader.readexactly(size))
                self.calls.append(call)
                self.arrived.set()
                await self.gate.wait()
                answer = self.answer(call)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        self._tasks.discard(asyncio.current_task())
        writer.close()


_ports = itertools.count(os.getpid() * 101)


def free_port() -> int:
    """A port that nobody has, and that no test in another process is likely to be given before it is used.

    From below the range that the system takes ports from by itself.
    """
    for _ in range(1000):
        port = 12_000 + next(_ports) % 20_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("there is no free port")


class Process:
    """Restante as a process of its own. `command` follows the Python executable."""

    def __init__(
        self, *command: str, port: int, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._errors = (cwd / f"stderr-{port}-{time.monotonic_ns()}").open("w+b")
        self.child = forked.Popen(
            [sys.executable, *command],
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            cwd=cwd,
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("RESTANTE_")},
                **(environment or {}),
            },
        )

    async def ready(self) -> "Process":
        """Until it lets callers in."""
        async with caller() as client:
            for _ in range(int(START_SECONDS / PAUSE_SECONDS)):
                if self.child.poll() is not None:
                    raise AssertionError(f"it ended with {self.child.returncode}: {self.errors()}")
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(self.url + "/-/healthz")).status_code == 200:
                        return self
                await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError(f"it did not start: {self.errors()}")

    async def listening(self) -> "Process":
        """Until its port is open."""
        for _ in range(int(START_SECONDS / PAUSE_SECONDS)):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError(f"it did not start: {self.errors()}")

    async def ended(self, *, seconds: float = END_SECONDS) -> int:
        """Until it has ended; its exit code."""
        for _ in range(int(seconds / PAUSE_SECONDS)):
            if (code := self.child.poll()) is not None:
                return code
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError("it did not end")

    async def kill(self) -> None:
        """kill -9."""
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGKILL)
        await self.ended()

    async def terminate(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        return await self.ended()

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode()


def serving(upstream: str, folder: Path, *more: str, port: int = 0) -> Process:
    """`restante serve` in front of `upstream`, its store in `folder`."""
    port = port or free_port()
    return Process(
        "-m",
        "restante",
        "serve",
        "--upstream",
        upstream,
        "--listen",
        f"127.0.0.1:{port}",
        "--store",
        f"sqlite:///{folder}/restante.db",
        *more,
        port=port,
        cwd=folder,
    )


async def settled(client: httpx.AsyncClient, url: str, id: str) -> dict:
    """The transaction in native form, once it has ended."""
    wait = {"Prefer": f"wait={END_SECONDS:.0f}"}
    found = (await client.get(f"{url}/-/transactions/{id}", headers=wait, timeout=2 * END_SECONDS)).json()
    assert found["status"] in ("completed", "failed", "cancelled"), f"it did not end: {found}"
    return found
