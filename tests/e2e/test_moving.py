"""From a file to a PostgreSQL with the command: callers see the same, and what waited runs."""

import asyncio
import signal
from pathlib import Path

import asyncpg
import httpx

from ..cli.process import RESTANTE, run
from ..stores.postgres.conftest import asked
from .harness import OK, Call, Process, RecordingUpstream, caller, serving, settled

PAUSE_SECONDS = 0.01
TRIES = 2000


def answering(call: Call) -> bytes:
    if call.target == "/refused":
        return b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 2\r\n\r\n{}"
    if call.target == "/large":
        return b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + b"x" * 1048576
    return OK


async def submitted(client: httpx.AsyncClient, server: Process, path: str, **headers: str) -> str:
    answer = await client.post(f"{server.url}/async{path}", json={}, headers=headers)
    assert answer.status_code == 202
    return str(answer.json()["request_id"])


async def told(client: httpx.AsyncClient, server: Process, id: str) -> tuple[object, ...]:
    """The transaction and its events, and what its callers are given."""
    native = await client.get(f"{server.url}/-/transactions/{id}")
    stored = await client.get(f"{server.url}/-/transactions/{id}/result")
    status = await client.get(f"{server.url}/async/status/{id}")
    return native.json(), stored.status_code, stored.content, status.status_code, status.json()["status"]


async def test_a_store_that_was_moved_answers_as_before(tmp_path: Path, database: str) -> None:
    file = f"sqlite:///{tmp_path}/restante.db"
    async with RecordingUpstream(answering) as upstream, caller(timeout=30) as client:
        server = await serving(upstream.url, tmp_path).ready()
        port = server.port
        ended = [await submitted(client, server, path) for path in ("/work", "/large", "/refused")]
        ended.append(await submitted(client, server, "/once", **{"Idempotency-Key": "order-1"}))
        for id in ended:
            await settled(client, server.url, id)
        later = await submitted(client, server, "/later", **{"Restante-Delay": "1h"})
        cancelled = await submitted(client, server, "/never", **{"Restante-Delay": "1h"})
        await client.delete(f"{server.url}/async/status/{cancelled}")
        upstream.gate.clear()
        upstream.arrived.clear()
        sent = await submitted(client, server, "/sent")
        await upstream.arrived.wait()
        before = {id: await told(client, server, id) for id in [*ended, later, cancelled]}
        used = await asyncio.to_thread(run, "migrate", "--from", file, "--store", database, folder=tmp_path)
        assert (used.returncode, used.stdout) == (2, "")
        assert used.stderr.startswith("restante: from: ")
        assert "in use" in used.stderr
        await server.kill()
        upstream.gate.set()

        done = await asyncio.to_thread(run, "migrate", "--from", file, "--store", database, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("moved 7 transactions (2 not finished), ")
        twice = await asyncio.to_thread(run, "migrate", "--from", file, "--store", database, folder=tmp_path)
        assert (twice.returncode, twice.stderr.count("\n")) == (2, 1)
        assert "unused" in twice.stderr

        server = await serving(upstream.url, tmp_path, "--store", database, port=port).ready()
        try:
            interrupted = await settled(client, server.url, sent)
            assert (interrupted["status"], interrupted["outcome"]) == ("failed", "interrupted")
            assert {id: await told(client, server, id) for id in before} == before
            large = await client.get(f"{server.url}/async/result/{ended[1]}")
            assert large.content == b"x" * 1048576
            asked_twice = [await client.get(f"{server.url}/async/result/{ended[2]}") for _ in range(2)]
            assert [answer.status_code for answer in asked_twice] == [422, 404]
            again = await client.post(
                f"{server.url}/async/once", json={}, headers={"Idempotency-Key": "order-1"}
            )
            assert again.json()["request_id"] == ended[3]
            calls = len(upstream.calls)
            new = await submitted(client, server, "/work")
            assert (await settled(client, server.url, new))["status"] == "completed"
            assert len(upstream.calls) == calls + 1
        finally:
            await server.kill()


async def test_a_move_that_is_killed_has_moved_nothing(tmp_path: Path, database: str) -> None:
    async with RecordingUpstream() as upstream, caller(timeout=30) as client:
        server = await serving(upstream.url, tmp_path).ready()
        id = await submitted(client, server, "/work")
        await settled(client, server.url, id)
        await server.terminate()
    name = database.partition("?")[0].rpartition("/")[2]
    words = (*RESTANTE[1:], "migrate", "--from", f"sqlite:///{tmp_path}/restante.db", "--store", database)
    holder = await a_transaction_that_locks(database)
    moving = Process(*words, port=0, cwd=tmp_path)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'"
    for _ in range(TRIES):
        if await asked(database, waiting, name):
            break
        await asyncio.sleep(PAUSE_SECONDS)
    else:
        raise AssertionError(f"it did not come so far: {moving.errors()}")
    moving.child.send_signal(signal.SIGKILL)
    await moving.ended()
    await holder.close()
    assert not await asked(database, "SELECT 1 FROM restante.transactions")
    for _ in range(TRIES):  # until the server has seen that nobody is there
        done = await asyncio.to_thread(run, *words[2:], folder=tmp_path)
        if done.returncode == 0:
            break
    assert done.stdout.startswith("moved 1 transactions (0 not finished)")
    assert len(await asked(database, "SELECT 1 FROM restante.transactions")) == 1


async def a_transaction_that_locks(database: str) -> asyncpg.Connection:
    """Holds what the move writes, so that it stands in the middle."""
    connection = await asyncpg.connect(database)
    await connection.execute("BEGIN; LOCK TABLE restante.events IN ACCESS EXCLUSIVE MODE")
    return connection
