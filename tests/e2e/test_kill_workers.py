"""kill -9 of one of several processes at a point: the points are in those that are started, too."""

import contextlib
from pathlib import Path

import httpx

from .harness import Process, RecordingUpstream, caller, free_port, settled


async def test_a_worker_that_dies_at_a_point_is_followed_by_another(database: str, tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, caller() as client:
        port = free_port()
        command = ("serve", "--upstream", upstream.url, "--store", database, "--workers", "2")
        points = ("-m", "restante.failpoints", "attempt.answered=kill")
        listen = ("--listen", f"127.0.0.1:{port}")
        server = await Process(*points, *command, *listen, port=port, cwd=tmp_path).ready()
        try:
            accepted = await client.post(f"{server.url}/async/work", json={})
            id = accepted.json()["request_id"]
            with contextlib.suppress(httpx.TransportError):  # it may be the one that dies that is asked
                await settled(client, server.url, id)
            found = await settled(client, server.url, id)
            assert (found["status"], found["outcome"]) == ("failed", "interrupted")
            assert len(upstream.calls) == 1
            assert server.child.poll() is None
            assert server.errors().count("failpoint attempt.answered: kill") == 1
        finally:
            await server.terminate()
