"""Several servers on one PostgreSQL: whichever is asked, and whichever dies."""

import asyncio
import contextlib
import time
from pathlib import Path

import httpx
import pytest

from ..postgres import Server
from .harness import OK, Call, Process, RecordingUpstream, free_port, serving, settled
from .test_kill import BODY, ONCE, VICTIM

WAIT = {"Prefer": "wait=15"}


def refusing(call: Call) -> bytes:
    """An error, which is handed out once."""
    if call.target == "/refused":
        return b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 2\r\n\r\n{}"
    return OK


async def test_any_server_answers_for_what_another_runs(tmp_path: Path, database: str) -> None:
    async with RecordingUpstream(refusing) as upstream, httpx.AsyncClient(timeout=30) as client:
        servers = [serving(upstream.url, tmp_path, "--store", database) for _ in range(2)]
        one, other = [await server.ready() for server in servers]
        try:
            for _ in range(2):  # by the second time each knows of the other
                upstream.gate.clear()
                upstream.arrived.clear()
                accepted = (await client.post(one.url + "/async/work", json={})).json()
                url = f"{other.url}/async/result/{accepted['request_id']}"
                early = await client.get(url)
                assert (early.status_code, early.json()["status"]) == (425, "processing")
                held = asyncio.create_task(client.get(url, headers=WAIT))
                await upstream.arrived.wait()
                await client.get(url, headers={"Prefer": "wait=1"})
                assert not held.done()
                began = time.monotonic()
                upstream.gate.set()
                answer = await held
                assert (answer.status_code, answer.json()) == (200, {"done": True})
            assert time.monotonic() - began < 3  # told, not found by looking now and then

            events = f"{other.url}/-/transactions/{accepted['request_id']}/events"
            assert [e["status"] for e in (await client.get(events)).json()["events"]][-1] == "completed"

            refused = (await client.post(one.url + "/async/refused", json={})).json()["request_id"]
            await settled(client, other.url, refused)
            asked = [
                client.get(f"{server.url}/async/result/{refused}") for server in servers for _ in range(10)
            ]
            codes = [answer.status_code for answer in await asyncio.gather(*asked)]
            assert sorted(codes) == [404] * 19 + [422]  # one reader, whichever server was asked

            key = {"Idempotency-Key": "order-1"}
            racing = [
                client.post(f"{server.url}/async/once", json={}, headers=key)
                for server in servers
                for _ in range(5)
            ]
            answers = await asyncio.gather(*racing)
            assert {answer.status_code for answer in answers} == {202}
            assert len({answer.json()["request_id"] for answer in answers}) == 1
        finally:
            for server in servers:
                await server.kill()


async def test_while_the_database_is_away_it_says_when_to_come_again(tmp_path: Path) -> None:
    server = Server(fsync=True)
    try:
        database = await server.database()
        async with RecordingUpstream() as upstream, httpx.AsyncClient(timeout=30) as client:
            gateway = await serving(upstream.url, tmp_path, "--store", database).ready()
            try:
                before = (await client.post(gateway.url + "/async/work", json={})).json()["request_id"]
                await settled(client, gateway.url, before)
                server.stop()
                for method, path in (("POST", "/async/work"), ("GET", f"/async/status/{before}")):
                    answer = await client.request(method, gateway.url + path)
                    assert (answer.status_code, answer.headers["retry-after"].isdigit()) == (503, True)
                    assert answer.headers["content-type"].endswith("json")
                    assert "postgres" not in answer.text.lower()
                straight = await client.get(gateway.url + "/plain")
                assert straight.status_code == 200  # what needs no store goes on
                server.start()
                for _ in range(1000):
                    answer = await client.post(gateway.url + "/async/work", json={})
                    if answer.status_code == 202:
                        break
                    await asyncio.sleep(0.01)
                for id in (before, answer.json()["request_id"]):
                    assert (await settled(client, gateway.url, id))["status"] == "completed"
                assert len(upstream.calls) == 3
                assert "Traceback" not in gateway.errors()
            finally:
                await gateway.kill()
    finally:
        server.close()


def configured(folder: Path, upstream: str, database: str, port: int) -> str:
    path = folder / f"restante-{port}.toml"
    path.write_text(
        f'listen = "127.0.0.1:{port}"\nstore = "{database}"\n[upstream]\nurl = "{upstream}"\n'
        'retry = { attempts = 3, backoff = "10ms" }\n'
    )
    return str(path)


@pytest.mark.parametrize("step", ONCE)
async def test_what_a_killed_server_was_doing_another_takes_up(
    step: str, tmp_path: Path, database: str
) -> None:
    expected = ONCE[step]
    async with RecordingUpstream() as upstream, httpx.AsyncClient() as client:
        ports = [free_port(), free_port()]
        paths = [configured(tmp_path, upstream.url, database, port) for port in ports]
        victim = await Process(str(VICTIM), step, paths[0], port=ports[0], cwd=tmp_path).ready()
        # It is there first, and has all of the upstream until it has let go of half.
        other = await Process(str(VICTIM), "never", paths[1], port=ports[1], cwd=tmp_path).ready()
        try:
            answer = None
            with contextlib.suppress(httpx.TransportError):  # it may die before it can answer
                answer = await client.post(f"{victim.url}/async/payments", content=BODY)
            assert await victim.ended() == -9
            rows = (await client.get(f"{other.url}/-/transactions")).json()["transactions"]
            ids = [row["id"] for row in rows]
            if answer is not None:
                assert ids == [answer.json()["request_id"]]
            if expected is None:
                assert ids == []
                return
            (id,) = ids
            found = await settled(client, other.url, id)
            assert (found["status"], found["outcome"], len(upstream.calls)) == expected
            sequences = [event["sequence"] for event in found["events"]]
            assert sequences == list(range(1, len(sequences) + 1))
        finally:
            await other.kill()


async def test_a_pause_holds_at_all_servers_and_those_that_are_started_later(
    tmp_path: Path, database: str
) -> None:
    async with RecordingUpstream() as upstream, httpx.AsyncClient(timeout=30) as client:
        servers = [serving(upstream.url, tmp_path, "--store", database) for _ in range(2)]
        one, other = [await server.ready() for server in servers]
        try:
            assert (await client.post(f"{one.url}/-/upstreams/default/pause")).json()["paused"] is True
            (shown,) = (await client.get(f"{other.url}/-/upstreams")).json()["upstreams"]
            assert shown["paused"] is True
            servers.append(serving(upstream.url, tmp_path, "--store", database))
            late = await servers[-1].ready()
            ids = [
                (await client.post(url + "/async/work", json={})).json()["request_id"]
                for url in (one.url, late.url)
            ]
            seen = [await client.get(f"{other.url}/async/status/{id}") for id in ids]
            assert [answer.headers["restante-status"] for answer in seen] == ["pending"] * 2
            assert not upstream.calls
            assert (await client.post(f"{late.url}/-/upstreams/default/resume")).json()["paused"] is False
            for id in ids:
                assert (await settled(client, other.url, id))["status"] == "completed"
        finally:
            for server in servers:
                await server.kill()
