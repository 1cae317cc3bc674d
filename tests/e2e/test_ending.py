"""SIGTERM ends a server soon, whatever goes on, and all that was accepted is there at the next start."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from restante.assembly.ending import LAST_SECONDS

from .. import matrix
from .harness import Process, RecordingUpstream, caller, serving

pytestmark = pytest.mark.asyncio

GRACE_SECONDS = 1
GONE_SECONDS = GRACE_SECONDS + LAST_SECONDS + 5
BIG = 8 * 1024 * 1024
BURST = 200


class Scene:
    """A server, its upstream, and somebody who asks."""

    def __init__(self, upstream: RecordingUpstream, server: Process, client: httpx.AsyncClient) -> None:
        self.upstream = upstream
        self.server = server
        self.client = client
        self.accepted: list[str] = []

    async def submit(self, path: str = "/async/pay", **how: object) -> str:
        answer = await self.client.post(self.server.url + path, **how)  # type: ignore[arg-type]
        self.accepted.append(answer.json()["request_id"])
        return self.accepted[-1]

    def children(self) -> list[int]:
        pid = self.server.child.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


State = Callable[[Scene], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def upstream_hangs(scene: Scene) -> AsyncIterator[None]:
    scene.upstream.gate.clear()
    scene.upstream.arrived.clear()
    await scene.submit()
    await scene.upstream.arrived.wait()
    yield


@asynccontextmanager
async def receiver_hangs(scene: Scene) -> AsyncIterator[None]:
    met = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as receiver:
        port = receiver.sockets[0].getsockname()[1]
        await scene.submit(headers={"Restante-Callback-Url": f"http://127.0.0.1:{port}/"})
        async with asyncio.timeout(10):
            await met.wait()
        yield


@asynccontextmanager
async def writes_under_way(scene: Scene) -> AsyncIterator[None]:
    """What was answered is on disk; of the others nobody knows."""
    asking = [asyncio.ensure_future(scene.submit(content=b"x" * 60_000)) for _ in range(BURST)]
    await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    yield
    await asyncio.wait(asking)
    for one in asking:
        assert isinstance(one.exception(), httpx.TransportError | KeyError | None)


@asynccontextmanager
async def sweeping(scene: Scene) -> AsyncIterator[None]:
    """Much passes its deadline at once, while the upstream hangs."""
    scene.upstream.gate.clear()
    how = {"Restante-Deadline": "300ms"}
    await asyncio.gather(*[scene.submit(headers=how) for _ in range(BURST)])
    url = f"{scene.server.url}/async/status/{scene.accepted[-1]}"
    while (await scene.client.get(url)).status_code == 200:
        pass
    yield


@asynccontextmanager
async def reading_slowly(scene: Scene) -> AsyncIterator[None]:
    """A client that takes a few bytes of a large result, and no more."""
    scene.upstream.answer = lambda call: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG + bytes(BIG)
    id = await scene.submit()
    await scene.client.get(f"{scene.server.url}/async/status/{id}", headers={"Prefer": "wait=10"}, timeout=20)
    with idle_socket(scene.server.port, f"/async/result/{id}", take=1000):
        yield


@asynccontextmanager
async def streaming(scene: Scene) -> AsyncIterator[None]:
    """A stream of events whose client reads none of them."""
    scene.upstream.gate.clear()
    id = await scene.submit()
    with idle_socket(scene.server.port, f"/-/transactions/{id}/events", take=10):
        yield


@asynccontextmanager
async def polling(scene: Scene) -> AsyncIterator[None]:
    scene.upstream.gate.clear()
    id = await scene.submit()
    waiting = asyncio.ensure_future(
        scene.client.get(f"{scene.server.url}/async/status/{id}", headers={"Prefer": "wait=20"}, timeout=30)
    )
    await scene.client.get(f"{scene.server.url}/async/status/{id}")
    yield
    with contextlib.suppress(httpx.TransportError):  # where it was told twice
        answer = await waiting
        assert answer.status_code == 503 or answer.json()["status"] == "processing"


@asynccontextmanager
async def half_a_request(scene: Scene) -> AsyncIterator[None]:
    with socket.create_connection(("127.0.0.1", scene.server.port)) as client:
        client.sendall(b"POST /async/pay HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nhalf")
        await scene.submit()
        yield


@asynccontextmanager
async def disk_full(scene: Scene) -> AsyncIterator[None]:
    """No file may grow, so that nothing can be written: the end of what runs, nor the mark of what waits."""
    scene.upstream.gate.clear()
    for _ in range(5):
        await scene.submit()
    for pid in scene.children() or [scene.server.child.pid]:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    scene.upstream.gate.set()
    answer = await scene.client.post(f"{scene.server.url}/async/pay")
    assert answer.status_code == 503
    yield


@asynccontextmanager
async def nothing(scene: Scene) -> AsyncIterator[None]:
    yield


@contextlib.contextmanager
def idle_socket(port: int, path: str, *, take: int) -> Iterator[None]:
    """Somebody who asks, takes so many bytes, and then no more."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n".encode())
        assert client.recv(take)
        yield


STATES: dict[str, State] = {
    one.__name__: one
    for one in (
        upstream_hangs,
        receiver_hangs,
        writes_under_way,
        sweeping,
        reading_slowly,
        streaming,
        polling,
        half_a_request,
        disk_full,
        nothing,
    )
}


@asynccontextmanager
async def set_up(folder: Path) -> AsyncIterator[Scene]:
    async with RecordingUpstream() as upstream, caller() as client:
        config = folder / "restante.toml"
        config.write_text(f'grace = "{GRACE_SECONDS}s"\n[webhooks]\nallow = ["127.0.0.0/8"]\n')
        server = serving(upstream.url, folder, "--config", str(config))
        try:
            yield Scene(upstream, await server.ready(), client)
        finally:
            await server.kill()


@pytest.mark.parametrize(
    "name", matrix.rows(STATES, quick=lambda name: name in ("upstream_hangs", "reading_slowly"))
)
@pytest.mark.parametrize("signals", [1, 2])
async def test_it_ends_soon_whatever_goes_on_and_keeps_what_it_accepted(
    tmp_path: Path, name: str, signals: int
) -> None:
    async with set_up(tmp_path) as scene:
        async with STATES[name](scene):
            for _ in range(signals):
                scene.server.child.send_signal(signal.SIGTERM)
            assert await scene.server.ended() == 0, scene.server.errors()
        assert "did not end" not in scene.server.errors()
        assert "Traceback" not in scene.server.errors()
        scene.upstream.gate.set()
        again = await serving(scene.upstream.url, tmp_path).ready()
        try:
            for id in scene.accepted:
                found = await scene.client.get(f"{again.url}/-/transactions/{id}")
                assert found.status_code == 200, id
        finally:
            await again.kill()


@pytest.mark.slow
async def test_it_ends_when_it_is_told_to_as_it_opens_its_port(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream:
        for _ in range(5):
            server = await serving(upstream.url, tmp_path).listening()
            assert await server.terminate() == 0, server.errors()


@pytest.mark.slow
async def test_it_is_gone_in_time_and_says_what_hung_though_its_writing_process_hangs(
    tmp_path: Path,
) -> None:
    async with set_up(tmp_path) as scene:
        await scene.submit()
        children = scene.children()
        if not children:
            pytest.skip("on one core the server writes itself")
        os.kill(children[0], signal.SIGSTOP)
        try:
            scene.server.child.send_signal(signal.SIGTERM)
            assert await scene.server.ended(seconds=GONE_SECONDS) == 1
        finally:
            os.kill(children[0], signal.SIGCONT)
        assert "did not end within" in scene.server.errors()
