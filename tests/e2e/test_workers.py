"""Several processes of one machine on the same addresses, and roles apart, all on one PostgreSQL."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from .harness import (
    PAUSE_SECONDS,
    START_SECONDS,
    Process,
    RecordingUpstream,
    caller,
    free_port,
    serving,
    settled,
)


def children(process: Process) -> set[int]:
    """The processes that `process` has started."""
    text = Path(f"/proc/{process.child.pid}/task/{process.child.pid}/children").read_text()
    return {int(number) for number in text.split()}


async def until(fits: object) -> None:
    for _ in range(int(START_SECONDS / PAUSE_SECONDS)):
        if fits():  # type: ignore[operator]
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("it did not come about")


def serving_on(database: str, upstream: str, folder: Path, *more: str, port: int = 0) -> Process:
    return serving(upstream, folder, "--store", database, *more, port=port)


async def test_workers_are_replaced_one_by_one_and_no_request_is_refused(
    database: str, tmp_path: Path
) -> None:
    async with RecordingUpstream() as upstream, caller() as client:
        server = await serving_on(database, upstream.url, tmp_path, "--workers", "2").ready()
        try:
            before = children(server)
            assert len(before) == 2
            ids = []

            async def ask() -> None:
                answer = await client.post(server.url + "/async/x", content=b"{}")
                assert answer.status_code == 202
                ids.append(answer.json()["request_id"])

            await asyncio.gather(*(ask() for _ in range(8)))  # on as many connections, which stay
            server.child.send_signal(signal.SIGHUP)
            while children(server) & before or len(children(server)) != 2:
                await asyncio.gather(*(ask() for _ in range(8)))
            for id in ids:
                assert (await settled(client, server.url, id))["status"] == "completed"
            assert len(upstream.calls) == len(ids)
        finally:
            assert await server.terminate() == 0
        assert not any(Path(f"/proc/{child}").exists() for child in before)


async def test_a_worker_that_dies_is_followed_by_another(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(tmp_path / "notices"))
    notices.settimeout(START_SECONDS)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notices"))
    async with RecordingUpstream() as upstream:
        server = serving_on(database, upstream.url, tmp_path, "--workers", "2")
        try:
            with notices:
                assert await asyncio.to_thread(notices.recv, 64) == b"READY=1"  # all of them
            before = children(server)
            os.kill(min(before), signal.SIGKILL)
            await until(lambda: len(children(server) - before) == 1 and len(children(server)) == 2)
            await server.ready()
        finally:
            assert await server.terminate() in (0, 1)


async def test_workers_end_when_whoever_watches_over_them_is_killed(database: str, tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream:
        server = await serving_on(database, upstream.url, tmp_path, "--workers", "2").ready()
        before = children(server)
        await server.kill()
        await until(lambda: not any(Path(f"/proc/{child}").exists() for child in before))


async def test_workers_that_cannot_start_are_one_line_and_exit_2(tmp_path: Path) -> None:
    nowhere = f"postgresql://restante@127.0.0.1:{free_port()}/nothing"
    server = serving_on(nowhere, "http://127.0.0.1:9", tmp_path, "--workers", "2")
    assert await server.ended() == 2
    lines = set(server.errors().splitlines())
    assert len(lines) == 1
    assert lines.pop().startswith("restante: store: ")


async def test_a_gateway_takes_it_and_a_runner_does_it(database: str, tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, caller() as client:
        gateway = await serving_on(database, upstream.url, tmp_path, "--role", "gateway").ready()
        ours = free_port()
        runner = None
        try:
            accepted = await client.post(gateway.url + "/async/x", content=b"{}")
            id = accepted.json()["request_id"]
            assert (await client.get(accepted.json()["status_url"])).json()["status"] == "processing"
            assert not upstream.calls
            admin = ("--role", "runner", "--admin-listen", f"127.0.0.1:{ours}")
            runner = serving_on(database, upstream.url, tmp_path, *admin)
            runner.port, runner.url = ours, f"http://127.0.0.1:{ours}"
            await runner.ready()
            assert (await settled(client, gateway.url, id))["status"] == "completed"
            assert (await client.get(accepted.json()["response_url"])).json() == {"done": True}
            assert (await client.post(runner.url + "/async/x", content=b"{}")).status_code == 404
        finally:
            if runner is not None:
                assert await runner.terminate() == 0
            assert await gateway.terminate() == 0
