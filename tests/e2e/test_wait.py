"""Waiting in a real process: polls that are held, a stream that is live, and what a signal does to them."""

import asyncio
import json
import time
from pathlib import Path

from .harness import RecordingUpstream, caller, serving

WAIT = {"Prefer": "wait=10"}


async def test_a_held_poll_is_answered_when_the_answer_is_there(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, caller(timeout=30) as client:
        upstream.gate.clear()
        gateway = await serving(upstream.url, tmp_path).ready()
        try:
            accepted = (await client.post(gateway.url + "/async/work", json={})).json()
            asking = [
                asyncio.create_task(client.get(accepted["response_url"], headers=WAIT)) for _ in range(20)
            ]
            await upstream.arrived.wait()
            early = await client.get(accepted["response_url"], headers={"Prefer": "wait=1"})
            assert (early.status_code, early.headers["preference-applied"]) == (425, "wait=1")
            assert not any(one.done() for one in asking)
            started = time.monotonic()
            upstream.gate.set()
            for answer in await asyncio.gather(*asking):
                assert (answer.status_code, answer.json()) == (200, {"done": True})
                assert answer.headers["preference-applied"] == "wait=10"
            assert time.monotonic() - started < 5
        finally:
            await gateway.kill()


async def test_respond_async_with_a_wait_gives_the_real_answer_or_where_it_will_be(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, caller(timeout=30) as client:
        gateway = await serving(upstream.url, tmp_path).ready()
        try:
            prefer = {"Prefer": "respond-async, wait=10"}
            answer = await client.post(gateway.url + "/work", json={}, headers=prefer)
            assert (answer.status_code, answer.json()) == (200, {"done": True})
            upstream.gate.clear()
            later = await client.post(
                gateway.url + "/work", json={}, headers={"Prefer": "respond-async, wait=1"}
            )
            assert (later.status_code, later.json()["status"]) == (202, "processing")
            upstream.gate.set()
            shown = await client.get(later.headers["location"], headers=WAIT)
            assert shown.json()["status"] == "completed"
        finally:
            await gateway.kill()


async def test_events_are_live_and_a_signal_lets_everybody_go(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, caller(timeout=30) as client:
        upstream.gate.clear()
        gateway = await serving(upstream.url, tmp_path).ready()
        try:
            id = (await client.post(gateway.url + "/async/work", json={})).json()["request_id"]
            seen = []
            url = f"{gateway.url}/-/transactions/{id}/events"
            asking = asyncio.create_task(client.get(f"{gateway.url}/async/result/{id}", headers=WAIT))
            async with client.stream("GET", url, headers={"Accept": "text/event-stream"}) as stream:
                async for line in stream.aiter_lines():
                    if line.startswith("data: "):
                        seen.append(json.loads(line.removeprefix("data: "))["status"])
                    if seen == ["pending", "processing"] and not line:
                        held = await client.get(
                            f"{gateway.url}/async/result/{id}", headers={"Prefer": "wait=1"}
                        )
                        assert held.status_code == 425  # so the one asked before it is held as well
                        ending = asyncio.create_task(gateway.terminate())
            assert seen == ["pending", "processing"]  # the stream was ended, and cleanly
            assert (await asking).status_code == 425
            upstream.gate.set()  # what runs may end
            assert await ending == 0
        finally:
            await gateway.kill()
