"""What one server does is live at the other: streams, long polls, one-shot errors, what was just written.

One takes requests only, so that everything is run by the other. The same through a pooler, where nothing can
be listened for.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ..stores.postgres.pooler import Pooler
from .harness import OK, Call, Process, RecordingUpstream, caller, free_port, serving, settled

REFUSED = b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 2\r\n\r\n{}"
WAIT = {"Prefer": "wait=15"}
TOLD_SECONDS = 3.0
"""By then it was told, or found by looking twice a second; not by looking every 5 s, nor when a wait ends."""


def answer(call: Call) -> bytes:
    return REFUSED if call.target == "/refused" else OK


class Pair:
    """`gateway` runs nothing; upstreams report to it."""

    def __init__(self, gateway: Process, runner: Process, upstream: RecordingUpstream) -> None:
        self.gateway, self.runner, self.upstream = gateway, runner, upstream
        self.client = caller(timeout=30)

    async def submit(self, at: Process, path: str = "/work", **headers: str) -> str:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        accepted = await self.client.post(f"{at.url}/async{path}", json={}, headers=sent)
        return accepted.json()["request_id"]

    async def running(self, at: Process) -> str:
        """The id of one that is being sent, and stays so until the gate is opened."""
        self.upstream.gate.clear()
        self.upstream.arrived.clear()
        id = await self.submit(at)
        await self.upstream.arrived.wait()
        return id

    async def events(self, at: Process, id: str, **headers: str) -> AsyncIterator[dict]:
        """The live stream, until it ends."""
        sent = {"Accept": "text/event-stream"} | {k.replace("_", "-"): v for k, v in headers.items()}
        async with self.client.stream("GET", f"{at.url}/-/transactions/{id}/events", headers=sent) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    async def collected(self, at: Process, id: str, **headers: str) -> list[tuple[int, str]]:
        return [(e["sequence"], e["status"]) async for e in self.events(at, id, **headers)]


@pytest.fixture(params=["direct", "pooled"])
async def pair(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[Pair]:
    @asynccontextmanager
    async def way() -> AsyncIterator[str]:
        if request.param == "direct":
            yield database
            return
        async with Pooler(database) as pooler:
            yield pooler.url + "&pooler=on"

    async with way() as store, RecordingUpstream(answer) as upstream:
        port = free_port()
        reports = ("--events-url", f"http://127.0.0.1:{port}")
        gateway = serving(upstream.url, tmp_path, "--store", store, "--role", "gateway", *reports, port=port)
        runner = serving(upstream.url, tmp_path, "--store", store, *reports)
        try:
            await gateway.ready()
            await runner.ready()
            pair = Pair(gateway, runner, upstream)
            async with pair.client:
                yield pair
        finally:
            await gateway.kill()
            await runner.kill()


class Soon:
    """Within it something happens that nobody who is not told would know of."""

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, kind: object, *_: object) -> None:
        assert kind is not None or time.monotonic() - self._began < TOLD_SECONDS


async def test_a_stream_and_a_poll_at_one_server_are_told_what_the_other_does(pair: Pair) -> None:
    gateway, runner, client = pair.gateway, pair.runner, pair.client
    for at in (gateway, runner):
        id = await pair.running(at)
        url = f"{gateway.url}/-/transactions/{id}"
        # A stream that is opened before, one that goes on where another broke off, polls of both kinds.
        whole = asyncio.create_task(pair.collected(gateway, id))
        rest = asyncio.create_task(pair.collected(gateway, id, Last_Event_ID="2"))
        held = asyncio.create_task(client.get(f"{gateway.url}/async/result/{id}", headers=WAIT))
        newer = asyncio.create_task(client.get(f"{url}?after=2", headers=WAIT))
        # The upstream reports to the one, and who listens to the other hears it.
        token = {"Authorization": f"Bearer {pair.upstream.calls[-1].header('restante-events-token')}"}
        heard = pair.events(runner, id, Last_Event_ID="2")
        with Soon():
            told = await client.post(f"{url}/events", json={"message": "half"}, headers=token)
            assert told.status_code == 200
            assert (await anext(heard))["message"] == "half"
        assert (await newer).json()["events"][-1]["message"] == "half"
        last = asyncio.create_task(client.get(f"{url}?after=3", headers=WAIT))
        if at is gateway:
            await client.get(f"{url}?after=3", headers={"Prefer": "wait=1"})  # so all of them wait by now
        assert not any(one.done() for one in (whole, rest, held, last))
        with Soon():
            pair.upstream.gate.set()
            assert (await held).json() == {"done": True}
            assert (await last).json()["status"] == "completed"
            assert await whole == [(1, "pending"), (2, "processing"), (3, "processing"), (4, "completed")]
            assert await rest == [(3, "processing"), (4, "completed")]
            assert [event["status"] async for event in heard] == ["completed"]


async def test_what_one_server_was_told_the_other_knows_at_once(pair: Pair) -> None:
    nodes = (pair.gateway, pair.runner)
    for at, other in (nodes, nodes[::-1]) * 5:
        id = await pair.submit(at, Restante_Delay="1h", Idempotency_Key=f"{at.port}")
        assert await pair.submit(other, Restante_Delay="1h", Idempotency_Key=f"{at.port}") == id
        shown = await pair.client.get(f"{other.url}/async/status/{id}")
        assert (shown.status_code, shown.json()["status"]) == (200, "processing")
        listed = await pair.client.get(f"{other.url}/-/transactions?status=pending")
        assert id in [one["id"] for one in listed.json()["transactions"]]
    key = {"Idempotency-Key": "raced"}
    racing = [
        pair.client.post(f"{node.url}/async/once", json={}, headers=key) for node in nodes for _ in range(5)
    ]
    answers = await asyncio.gather(*racing)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["request_id"] for answer in answers}) == 1
    waiting = asyncio.create_task(pair.client.get(f"{pair.runner.url}/async/status/{id}", headers=WAIT))
    with Soon():
        cancelled = await pair.client.delete(f"{pair.gateway.url}/async/status/{id}")
        assert cancelled.json()["status"] == "cancelled"
        shown = await pair.client.get(f"{pair.runner.url}/async/status/{id}")
        assert shown.json()["status"] == "cancelled"
        assert (await waiting).json()["status"] == "cancelled"


async def test_an_error_is_read_once_whichever_servers_are_asked(pair: Pair) -> None:
    nodes = (pair.gateway, pair.runner)
    for at, other in (nodes, nodes[::-1]):
        id = await pair.submit(at, "/refused")
        await settled(pair.client, other.url, id)
        asked = [pair.client.get(f"{node.url}/async/result/{id}") for node in nodes * 8]
        codes = [found.status_code for found in await asyncio.gather(*asked)]
        assert sorted(codes) == [404] * 15 + [422]
        for node in nodes:
            assert (await pair.client.get(f"{node.url}/async/status/{id}")).status_code == 404
