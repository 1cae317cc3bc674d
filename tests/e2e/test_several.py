"""Several servers on one PostgreSQL: whichever is asked, and whichever dies."""

import asyncio
import contextlib
import time
from pathlib import Path

import httpx

from restante.core.clock import SECOND
from restante.core.policy import Limits

from ..postgres import Server
from .harness import RecordingUpstream, caller, free_port, serving, settled
from .story import dead, kills, victim
from .test_kill import BODY, ONCE


async def test_while_the_database_is_away_it_says_when_to_come_again(tmp_path: Path) -> None:
    server = Server(fsync=True)
    try:
        database = await server.database()
        async with RecordingUpstream() as upstream, caller(timeout=30) as client:
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


def configured(folder: Path, upstream: str, database: str, port: int) -> Path:
    path = folder / f"restante-{port}.toml"
    path.write_text(
        f'listen = "127.0.0.1:{port}"\nstore = "{database}"\n[upstream]\nurl = "{upstream}"\n'
        'retry = { attempts = 3, backoff = "10ms" }\n'
    )
    return path


@kills(ONCE, stores=["postgres"])
async def test_what_a_killed_server_was_doing_another_takes_up(
    point: str, tmp_path: Path, store: str
) -> None:
    expected = ONCE[point]
    async with RecordingUpstream() as upstream, caller() as client:
        ports = [free_port(), free_port()]
        paths = [configured(tmp_path, upstream.url, store, port) for port in ports]
        dying = await victim(point, paths[0], port=ports[0]).ready()
        # It is there first, and has all of the upstream until it has let go of half.
        other = await victim("", paths[1], port=ports[1]).ready()
        try:
            answer = None
            with contextlib.suppress(httpx.TransportError):  # it may die before it can answer
                answer = await client.post(f"{dying.url}/async/payments", content=BODY)
            await dead(dying, point)
            rows = (await client.get(f"{other.url}/-/transactions")).json()["transactions"]
            ids = [row["id"] for row in rows]
            if answer is not None:
                assert ids == [answer.json()["request_id"]]
            if expected is None:
                assert ids == []
                return
            (id,) = ids
            found = await settled(client, other.url, id)
            assert (found["status"], found["outcome"]) == expected[:2]
            assert len(upstream.calls) in expected[2]
            sequences = [event["sequence"] for event in found["events"]]
            assert sequences == list(range(1, len(sequences) + 1))
        finally:
            await other.kill()


async def test_a_server_that_was_killed_and_is_started_again_goes_on_at_once(
    tmp_path: Path, database: str
) -> None:
    """It is alone, and does not wait for its own former lease."""
    async with RecordingUpstream() as upstream, caller() as client:
        upstream.gate.clear()
        server = await serving(upstream.url, tmp_path, "--store", database).ready()
        sent = (await client.put(server.url + "/async/work", json={})).json()["request_id"]
        await upstream.arrived.wait()
        await server.kill()
        upstream.gate.set()
        again = await serving(upstream.url, tmp_path, "--store", database).ready()
        try:
            began = time.monotonic()
            fresh = (await client.post(again.url + "/async/work", json={})).json()["request_id"]
            for id in (fresh, sent):
                assert (await settled(client, again.url, id))["status"] == "completed"
            assert time.monotonic() - began < Limits().lease / SECOND / 2
        finally:
            await again.kill()


async def test_a_pause_holds_at_all_servers_and_those_that_are_started_later(
    tmp_path: Path, database: str
) -> None:
    async with RecordingUpstream() as upstream, caller(timeout=30) as client:
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
