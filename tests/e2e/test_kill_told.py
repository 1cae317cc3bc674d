"""kill -9 around what others say of a transaction: who prefers to wait, an upstream that reports, a person.

The first process brings the transaction to where it is to be; the second one dies at the step, while it is
being told; the third one shows what became of it, and is told again, as by anybody who got no answer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..matrix import rows
from .harness import OK, Call, Process, RecordingUpstream, caller, free_port, settled
from .victim import PROGRESS

VICTIM = Path(__file__).parent / "victim.py"
ACCEPT = ("before the accept commit", "after the accept commit")
END = ("with the answer in hand", "after the end's commit")
LATER = b"HTTP/1.1 202 Accepted\r\nRestante-Completion: deferred\r\nContent-Length: 0\r\n\r\n"
DONE = {"status": "completed", "result": {"status": 200, "body": {"paid": True}}}
PATIENCE_SECONDS = 20.0


def answer(call: Call) -> bytes | None:
    return {"/deferred": LATER, "/hang-up": None}.get(call.target, OK)


class Story:
    """One transaction over several processes on one store and one port."""

    def __init__(self, folder: Path, upstream: RecordingUpstream, client: httpx.AsyncClient) -> None:
        self.port, self.folder = free_port(), folder
        self.upstream, self.client = upstream, client
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "restante.toml"
        self.config.write_text(
            f"""
            listen = "127.0.0.1:{self.port}"
            store = "sqlite:///{folder}/restante.db"
            events_url = "{self.url}"
            [upstream]
            url = "{upstream.url}"
            [[routes]]
            match = "POST /deferred"
            deferred = true
            """
        )

    @asynccontextmanager
    async def process(self, step: str = "never") -> AsyncIterator[Process]:
        """A process that dies at `step`, or at the end."""
        made = Process(str(VICTIM), step, str(self.config), port=self.port, cwd=self.folder)
        try:
            yield await made.ready()
            if step != "never":
                assert await made.ended() == -9
        finally:
            await made.kill()

    async def post(self, path: str, said: Any = None, **headers: str) -> httpx.Response | None:
        """The answer; None where the process died before it gave one."""
        with contextlib.suppress(httpx.TransportError):
            return await self.client.post(self.url + path, json=said, headers=headers)
        return None

    async def all(self) -> list[dict[str, Any]]:
        """All transactions with their events, the newest first."""
        listed = (await self.client.get(f"{self.url}/-/transactions")).json()["transactions"]
        return [(await self.client.get(f"{self.url}/-/transactions/{one['id']}")).json() for one in listed]

    async def one(self) -> dict[str, Any]:
        (found,) = await self.all()
        return found

    async def report(self, said: dict[str, Any]) -> httpx.Response | None:
        """The upstream's word about the last attempt."""
        call = self.upstream.calls[-1]
        token = call.header("restante-events-token") or ""
        path = (call.header("restante-events-url") or "").removeprefix(self.url)
        return await self.post(path, said, Authorization=f"Bearer {token}")

    async def deferred(self) -> str:
        """The id of one that the upstream has deferred."""
        accepted = await self.post("/async/deferred", {})
        assert accepted is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.one())["events"][-1]["data"].get("deferred") is not True:
                await asyncio.sleep(0.01)
        id: str = accepted.json()["request_id"]
        return id


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with RecordingUpstream(answer) as upstream, caller(timeout=30) as client:
        yield Story(tmp_path, upstream, client)


def messages(found: dict[str, Any]) -> list[str]:
    return [event["message"] for event in found["events"]]


def code(answered: httpx.Response | None) -> int | None:
    return None if answered is None else answered.status_code


@pytest.mark.parametrize("prefer", ["respond-async", "respond-async, wait=10"])
@pytest.mark.parametrize(
    "step",
    rows([*ACCEPT, "after the request was sent", *END], quick=lambda step: step == "after the accept commit"),
)
async def test_what_was_preferred_to_run_in_the_background_is_run_once(
    story: Story, step: str, prefer: str
) -> None:
    async with story.process(step):
        answered = await story.post("/work", {}, Prefer=prefer)
        assert code(answered) in (None, 202)
    async with story.process():
        if step == ACCEPT[0]:
            assert answered is None
            assert await story.all() == []
            return
        found = await settled(story.client, story.url, (await story.one())["id"])
        lost = step in ("after the request was sent", END[0])
        assert (found["dialect"], len(story.upstream.calls)) == ("prefer", 1)
        assert (found["status"], found["outcome"]) == (
            ("failed", "interrupted") if lost else ("completed", "answered")
        )


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("step", rows(END, quick=lambda step: step == END[1]))
async def test_an_end_that_was_reported_is_kept_or_reported_again(
    story: Story, step: str, early: bool
) -> None:
    if early:  # before the answer that would have deferred it
        story.upstream.gate.clear()
        async with story.process(step):
            await story.post("/async/deferred", {})
            await story.upstream.arrived.wait()
            assert await story.report(DONE) is None
    else:
        async with story.process():
            await story.deferred()
        async with story.process(step):
            assert await story.report(DONE) is None
    async with story.process():
        again = await story.report(DONE)
        found = await settled(story.client, story.url, (await story.one())["id"])
        assert len(story.upstream.calls) == 1
        if early and step == END[0]:  # an attempt that was cut off, and has ended as such
            # Unless the report was faster than the runner, which finds it cut off.
            ends = {409: ("failed", "interrupted"), 200: ("completed", "answered")}
            assert (found["status"], found["outcome"]) == ends[code(again)]
            return
        assert code(again) == (200 if step == END[0] else 409)
        assert (found["status"], found["attempt"]) == ("completed", 1)
        assert [event["status"] for event in found["events"]].count("completed") == 1
        result = await story.client.get(f"{story.url}/async/result/{found['id']}")
        assert (result.status_code, result.json()) == (200, {"paid": True})


@pytest.mark.parametrize("step", rows(PROGRESS, quick=lambda step: step == PROGRESS[0]))
async def test_progress_that_was_reported_is_kept_or_reported_again(story: Story, step: str) -> None:
    async with story.process():
        await story.deferred()
        assert code(await story.report({"message": "one"})) == 200
    async with story.process(step):
        assert await story.report({"message": "two"}) is None
    async with story.process():
        kept = messages(await story.one())
        assert kept.count("one") == 1
        assert kept.count("two") == PROGRESS.index(step)
        if not kept.count("two"):
            assert code(await story.report({"message": "two"})) == 200
        assert code(await story.report(DONE)) == 200
        found = await story.one()
        assert messages(found)[-3:] == ["one", "two", "Completed"]
        assert [event["sequence"] for event in found["events"]] == list(range(1, len(found["events"]) + 1))


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("step", rows(END, quick=lambda step: step == END[0]))
async def test_a_resolution_is_made_once_or_made_again(story: Story, step: str, ended: bool) -> None:
    said = {"status": "completed", "reason": "seen in the books", "by": "Ana"}
    async with story.process():
        if ended:  # with an outcome that nobody knows
            accepted = await story.post("/async/hang-up", {})
            assert accepted is not None
            id = accepted.json()["request_id"]
            assert (await settled(story.client, story.url, id))["outcome"] == "interrupted"
        else:
            id = await story.deferred()
    async with story.process(step):
        assert await story.post(f"/-/transactions/{id}/resolve", said) is None
    async with story.process():
        resolved = messages(await story.one()).count("Resolved by hand")
        assert resolved == END.index(step)
        again = await story.post(f"/-/transactions/{id}/resolve", said)
        assert code(again) == (409 if resolved else 200)
        found = await story.one()
        assert messages(found).count("Resolved by hand") == 1
        assert found["status"] == ("failed" if ended else "completed")
        assert len(story.upstream.calls) == 1


@pytest.mark.parametrize("step", rows(ACCEPT, quick=lambda step: step == ACCEPT[1]))
async def test_a_retry_is_one_transaction_however_often_it_is_asked_for(story: Story, step: str) -> None:
    async with story.process():
        accepted = await story.post("/async/work", {})
        assert accepted is not None
        old = (await settled(story.client, story.url, accepted.json()["request_id"]))["id"]
    key = {"Idempotency-Key": "retry-1"}
    async with story.process(step):
        assert await story.post(f"/-/transactions/{old}/retry", **key) is None
    async with story.process():
        made = [one["id"] for one in await story.all() if one["retry_of"] == old]
        assert len(made) == ACCEPT.index(step)
        again = await story.post(f"/-/transactions/{old}/retry", **key)
        assert again is not None
        assert (again.status_code, "idempotent-replayed" in again.headers) == (202, bool(made))
        new = again.json()["id"]
        assert made in ([], [new])
        done = await settled(story.client, story.url, new)
        assert (done["status"], done["retry_of"], len(story.upstream.calls)) == ("completed", old, 2)
        assert len(await story.all()) == 2
