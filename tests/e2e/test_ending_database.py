"""SIGTERM ends a server though its database does not answer."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from restante.assembly.ending import LAST_SECONDS

from ..postgres import Server
from .harness import Process, RecordingUpstream, caller, free_port

GRACE_SECONDS = 1


def processes(cluster: Server) -> list[int]:
    """Of the database's server, the first of them first."""
    pid = int((cluster.data / "postmaster.pid").read_text().splitlines()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


@pytest.mark.slow
@pytest.mark.parametrize("busy", [False, True])
async def test_it_is_gone_in_time_though_its_database_hangs(tmp_path: Path, busy: bool) -> None:
    cluster = Server()
    try:
        url = await cluster.database()
        async with RecordingUpstream() as upstream, caller() as client:
            port = free_port()
            how = ["--upstream", upstream.url, "--listen", f"127.0.0.1:{port}", "--store", url]
            how += ["--grace", f"{GRACE_SECONDS}s"]
            server = await Process("-m", "restante", "serve", *how, port=port, cwd=tmp_path).ready()
            try:
                upstream.gate.clear()
                await client.post(f"{server.url}/async/pay")
                async with asyncio.timeout(10):
                    await upstream.arrived.wait()
                stopped = processes(cluster)
                for pid in stopped:
                    os.kill(pid, signal.SIGSTOP)
                try:
                    if busy:  # its end is known, and cannot be written
                        upstream.gate.set()
                    server.child.send_signal(signal.SIGTERM)
                    await server.ended(seconds=GRACE_SECONDS + LAST_SECONDS + 5)
                finally:
                    for pid in reversed(stopped):
                        os.kill(pid, signal.SIGCONT)
            finally:
                await server.kill()
    finally:
        cluster.close()
