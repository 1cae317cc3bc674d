"""Webhooks of a real process to a real receiver, and kill -9 in the middle of it."""

import asyncio
import json
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import pytest

from restante.webhooks import verify

from ..insisting import caller
from ..matrix import rows
from .harness import Call, Process, RecordingUpstream, free_port, serving

ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
PATIENCE_SECONDS = 60.0

CONFIG = """
listen = "127.0.0.1:{port}"
store = "{store}"
[upstream]
url = "{upstream}"
[[routes]]
match = "* /*"
interrupted = "retry"
callback = "/notify"
[webhooks]
allow = ["127.0.0.0/8"]
timeout = "1s"
schedule = ["0s", "100ms", "200ms", "1s", "1s", "2s", "2s", "2s", "5s", "5s"]
"""


class Receiver:
    """Counts what arrives; of the first few of each delivery some are refused, and some are hung up on."""

    def __init__(self, *, well: bool) -> None:
        self.well = well
        self.secret: str | None = None  # what it verifies with
        self.ids: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self.tries: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()

    def __call__(self, call: Call) -> bytes | None:
        if self.secret is not None:
            verify(call.headers, call.body, self.secret)
        data = json.loads(call.body)["data"]
        id = call.header("webhook-id") or ""
        self.ids[data["id"], data["sequence"]].add(id)
        self.tries[id] += 1
        if not self.well and self.tries[id] == 1 and len(self.tries) % 3 == 0:
            return BUSY
        if not self.well and self.tries[id] == 1 and len(self.tries) % 7 == 0:
            return None
        self.taken[id] += 1
        return ACCEPTED


def configured(folder: Path, upstream: str, port: int, store: str) -> Path:
    path = folder / "restante.toml"
    path.write_text(CONFIG.format(port=port, store=store, upstream=upstream))
    return path


async def told(receiver: Receiver, ids: set[str], sequences: int) -> None:
    """Until every one of them was told of so many events, each taken at least once."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            of = Counter(
                id for (id, _), given in list(receiver.ids.items()) if receiver.taken[next(iter(given))]
            )
            if all(of[id] >= sequences for id in ids):
                return
            await asyncio.sleep(0.02)


@pytest.fixture(params=rows(["sqlite", "postgres"], quick=lambda name: name == "sqlite"))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/restante.db"
    url: str = request.getfixturevalue("database")
    return url


async def test_kill_under_load_loses_no_event_and_ids_stay(store: str, tmp_path: Path) -> None:
    receiver = Receiver(well=False)
    async with (
        RecordingUpstream() as upstream,
        RecordingUpstream(receiver) as shop,
        caller(timeout=10) as client,
    ):
        port = free_port()
        config = configured(tmp_path, upstream.url, port, store)
        ids: set[str] = set()

        def start() -> Process:
            return Process("-m", "restante", "serve", "--config", str(config), port=port, cwd=tmp_path)

        server = await start().ready()
        made = await client.post(
            f"{server.url}/-/endpoints", json={"url": f"{shop.url}/hook", "filters": {"status": "all"}}
        )
        assert made.status_code == 201, made.text
        receiver.secret = made.json()["secret"]

        async def submit(count: int) -> None:
            for _ in range(count):
                try:
                    answer = await client.post(f"{server.url}/async/payments", json={"a": 1})
                except httpx.TransportError:
                    return
                if answer.status_code == 202:
                    ids.add(answer.json()["request_id"])

        for _ in range(3):
            loads = [asyncio.ensure_future(submit(200)) for _ in range(4)]
            before = len(receiver.tries)
            while len(receiver.tries) < before + 30:
                await asyncio.sleep(0.01)
            await server.kill()
            await asyncio.gather(*loads)
            server = await start().ready()
        try:
            await told(receiver, ids, 3)
            assert len(ids) > 50
            assert all(len(given) == 1 for given in receiver.ids.values()), "an id changed between tries"
        finally:
            await server.kill()


async def refuses(client: httpx.AsyncClient, url: str) -> None:
    """Until nobody is let in any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await client.get(f"{url}/-/healthz", headers={"Connection": "close"})
            except httpx.TransportError:
                return


async def test_what_is_under_way_at_the_end_is_finished(tmp_path: Path) -> None:
    receiver = Receiver(well=True)
    async with (
        RecordingUpstream() as upstream,
        RecordingUpstream(receiver) as shop,
        caller(timeout=10) as client,
    ):
        port = free_port()
        store = f"sqlite:///{tmp_path}/restante.db"
        config = configured(tmp_path, upstream.url, port, store)
        command = ("-m", "restante", "serve", "--config", str(config))
        server = await Process(*command, port=port, cwd=tmp_path).ready()
        shop.gate.clear()
        await client.post(
            f"{server.url}/async/payments", headers={"Restante-Callback-Url": f"{shop.url}/mine"}, json={}
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not shop.calls:
                await asyncio.sleep(0.01)
        server.child.terminate()
        await refuses(client, server.url)
        shop.gate.set()
        assert await server.ended() == 0
        assert len(shop.calls) == 1
        again = await Process(*command, port=port, cwd=tmp_path).ready()
        try:
            listed = (await client.get(f"{again.url}/-/endpoints/callbacks/deliveries")).json()["deliveries"]
            assert [one["state"] for one in listed] == ["delivered"]
        finally:
            await again.kill()


async def test_a_callback_in_the_body_and_a_refused_one(tmp_path: Path) -> None:
    receiver = Receiver(well=True)
    async with (
        RecordingUpstream() as upstream,
        RecordingUpstream(receiver) as shop,
        caller(timeout=10) as client,
    ):
        port = free_port()
        config = configured(tmp_path, upstream.url, port, f"sqlite:///{tmp_path}/restante.db")
        server = await serving(upstream.url, tmp_path, "--config", str(config), port=port).ready()
        try:
            taken = await client.post(
                f"{server.url}/async/payments", json={"notify": f"{shop.url}/from-body"}
            )
            refused = await client.post(f"{server.url}/async/payments", json={"notify": "http://10.0.0.1/x"})
            assert (taken.status_code, refused.status_code) == (202, 400)
            assert refused.json()["field"] == "/notify"
            await told(receiver, {taken.json()["request_id"]}, 1)
            assert shop.calls[0].target == "/from-body"
        finally:
            await server.kill()


async def test_with_the_roles_apart_what_one_ends_another_tells(tmp_path: Path, database: str) -> None:
    receiver = Receiver(well=True)
    async with (
        RecordingUpstream() as upstream,
        RecordingUpstream(receiver) as shop,
        caller(timeout=10) as client,
    ):
        port = free_port()
        config = configured(tmp_path, upstream.url, port, database)
        command = ("-m", "restante", "serve", "--config", str(config), "--role")
        gateway = await Process(*command, "gateway", port=port, cwd=tmp_path).ready()
        others = [Process(*command, role, port=0, cwd=tmp_path) for role in ("runner", "webhooks")]
        try:
            made = (await client.post(f"{gateway.url}/-/endpoints", json={"url": f"{shop.url}/hook"})).json()
            receiver.secret = made["secret"]
            ids = set()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not receiver.taken:  # the others have heard of it
                    accepted = await client.post(f"{gateway.url}/async/payments", json={})
                    ids.add(accepted.json()["request_id"])
                    await asyncio.sleep(0.2)
            assert {id for id, _ in receiver.ids} <= ids
            for other in others:
                assert await other.terminate() == 0
        finally:
            for process in (gateway, *others):
                await process.kill()
