"""kill -9 around what others say of a transaction: who prefers to wait, an upstream that reports, a person.

The first process brings the transaction to where it is to be; the second one dies, while it is being told;
the third one shows what became of it, and is told again, as by anybody who got no answer.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..matrix import rows
from .harness import OK, Call, RecordingUpstream
from .story import Story, code, kills, messages

LATER = b"HTTP/1.1 202 Accepted\r\nRestante-Completion: deferred\r\nContent-Length: 0\r\n\r\n"
DONE = {"status": "completed", "result": {"status": 200, "body": {"paid": True}}}
ROUTE = """
[[routes]]
match = "POST /deferred"
deferred = true
"""


def answer(call: Call) -> bytes | None:
    return {"/deferred": LATER, "/hang-up": None}.get(call.target, OK)


class Reported(Story):
    """With an upstream that reports."""

    upstream: RecordingUpstream

    async def report(self, said: dict[str, Any]) -> httpx.Response | None:
        """The upstream's word about the last attempt."""
        call = self.upstream.calls[-1]
        token = call.header("restante-events-token") or ""
        path = (call.header("restante-events-url") or "").removeprefix(self.url)
        return await self.call("POST", path, said, authorization=f"Bearer {token}")

    async def deferred(self) -> str:
        """The id of one that the upstream has deferred."""
        id = await self.accepted("/deferred", {})
        await self.until(lambda found: found["events"][-1]["data"].get("deferred") is True)
        return id


@pytest.fixture
async def story(tmp_path: Path, store: str) -> AsyncIterator[Reported]:
    async with (
        RecordingUpstream(answer) as upstream,
        Reported(tmp_path, store, upstream.url, more=ROUTE) as story,
    ):
        story.upstream = upstream
        yield story


PREFERRED = {
    "accept.before_commit": None,
    "accept.committed": "completed",
    "mark.committed": "failed",
    "attempt.answer_begun": "failed",
    "end.before_commit": "failed",
    "end.committed": "completed",
}


@pytest.mark.parametrize("prefer", ["respond-async", "respond-async, wait=10"])
@kills(PREFERRED, quick=["accept.committed"])
async def test_what_was_preferred_to_run_in_the_background_is_run_once(
    story: Reported, point: str, prefer: str
) -> None:
    async with story.dying(point):
        answered = await story.call("POST", "/work", {}, prefer=prefer)
        assert code(answered) in (None, 202)
    async with story.running():
        if PREFERRED[point] is None:
            assert answered is None
            assert await story.all() == []
            return
        found = await story.ended()
        assert (found["dialect"], found["status"]) == ("prefer", PREFERRED[point])
        assert found["outcome"] == ("answered" if found["status"] == "completed" else "interrupted")
        assert len(story.upstream.calls) == (0 if point == "mark.committed" else 1)


END = {"end.before_commit": False, "end.committed": True}
"""Whether it is kept."""


@pytest.mark.parametrize("early", [False, True])
@kills(END, quick=["end.committed"])
async def test_an_end_that_was_reported_is_kept_or_reported_again(
    story: Reported, point: str, early: bool
) -> None:
    if early:  # before the answer that would have deferred it
        story.upstream.gate.clear()
        async with story.dying(point):
            await story.call("POST", "/async/deferred", {})
            await story.upstream.arrived.wait()
            assert await story.report(DONE) is None
    else:
        async with story.running():
            await story.deferred()
        async with story.dying(point):
            assert await story.report(DONE) is None
    async with story.running():
        again = await story.report(DONE)
        found = await story.ended()
        assert len(story.upstream.calls) == 1
        if early and not END[point]:  # an attempt that was cut off, and has ended as such
            # Unless the report was faster than the runner, which finds it cut off.
            ends = {409: ("failed", "interrupted"), 200: ("completed", "answered")}
            assert (found["status"], found["outcome"]) == ends[code(again)]
            return
        assert code(again) == (409 if END[point] else 200)
        assert (found["status"], found["attempt"]) == ("completed", 1)
        assert [event["status"] for event in found["events"]].count("completed") == 1
        result = await story.result(found["id"])
        assert (result.status_code, result.json()) == (200, {"paid": True})


PROGRESS = {"progress.before_commit": 0, "progress.committed": 1}
"""How many of it are kept."""


@kills(PROGRESS)
async def test_progress_that_was_reported_is_kept_or_reported_again(story: Reported, point: str) -> None:
    async with story.running():
        await story.deferred()
        assert code(await story.report({"message": "one"})) == 200
    async with story.dying(point):
        assert await story.report({"message": "two"}) is None
    async with story.running():
        kept = messages(await story.one())
        assert (kept.count("one"), kept.count("two")) == (1, PROGRESS[point])
        if not kept.count("two"):
            assert code(await story.report({"message": "two"})) == 200
        assert code(await story.report(DONE)) == 200
        assert messages(await story.ended())[-3:] == ["one", "two", "Completed"]


SAID = {"status": "completed", "reason": "seen in the books", "by": "Ana"}


async def resolved(story: Reported, id: str, point: str, *, kept: bool) -> dict[str, Any]:
    """Said to one that dies, and again to the next; how it stands then."""
    async with story.dying(point):
        assert await story.call("POST", f"/-/transactions/{id}/resolve", SAID) is None
    async with story.running():
        assert messages(await story.one()).count("Resolved by hand") == kept
        again = await story.call("POST", f"/-/transactions/{id}/resolve", SAID)
        assert code(again) == (409 if kept else 200)
        found = await story.ended()
        assert messages(found).count("Resolved by hand") == 1
        assert len(story.upstream.calls) == 1
        return found


@kills(END)
async def test_a_resolution_is_made_once_or_made_again(story: Reported, point: str) -> None:
    async with story.running():
        id = await story.deferred()
    assert (await resolved(story, id, point, kept=END[point]))["status"] == "completed"


NOTE = {"note.before_commit": False, "note.committed": True}


@kills(NOTE)
async def test_a_resolution_of_what_had_ended_changes_nothing_but_the_log(
    story: Reported, point: str
) -> None:
    async with story.running():
        id = await story.accepted("/hang-up", {})
        assert (await story.ended(id))["outcome"] == "interrupted"
    found = await resolved(story, id, point, kept=NOTE[point])
    assert (found["status"], found["outcome"]) == ("failed", "interrupted")


ACCEPT = {"accept.before_commit": False, "accept.committed": True}


@kills(ACCEPT, quick=["accept.committed"])
async def test_a_retry_is_one_transaction_however_often_it_is_asked_for(story: Reported, point: str) -> None:
    async with story.running():
        old = await story.accepted("/work", {})
        await story.ended(old)
    retry = f"/-/transactions/{old}/retry"
    async with story.dying(point):
        assert await story.call("POST", retry, idempotency_key="retry-1") is None
    async with story.running():
        made = [one["id"] for one in await story.all() if one["retry_of"] == old]
        assert len(made) == ACCEPT[point]
        again = await story.call("POST", retry, idempotency_key="retry-1")
        assert again is not None
        assert (again.status_code, "idempotent-replayed" in again.headers) == (202, ACCEPT[point])
        new = again.json()["id"]
        assert made in ([], [new])
        done = await story.ended(new)
        assert (done["status"], done["retry_of"], len(story.upstream.calls)) == ("completed", old, 2)
        assert len(await story.all()) == 2


# -- what ends it otherwise


@pytest.mark.parametrize("what", rows(["waiting", "deferred"], quick=lambda what: what == "waiting"))
@kills({"cancel.before_commit": False, "cancel.committed": True})
async def test_a_cancel_is_kept_or_made_again(story: Reported, point: str, what: str) -> None:
    async with story.running():
        if what == "deferred":
            id = await story.deferred()
        else:
            id = await story.accepted("/work", {}, restante_delay="1h")
    async with story.dying(point):
        assert await story.call("DELETE", f"/async/status/{id}") is None
    async with story.running():
        standing = (await story.one())["status"]
        if point == "cancel.committed":
            assert standing == "cancelled"
        else:
            assert standing == ("processing" if what == "deferred" else "pending")
        for _ in range(2):  # a second one answers like the first
            assert (await story.done("DELETE", f"/async/status/{id}"))["status"] == "cancelled"
        found = await story.ended()
        assert [event["status"] for event in found["events"]].count("cancelled") == 1
        assert [(await story.result(id)).status_code for _ in range(2)] == [410, 410]
        assert len(story.upstream.calls) == (what == "deferred")


@kills(["sweep.found", "expiry.before_commit", "expiry.committed"], quick=["expiry.committed"])
async def test_a_deadline_that_passes_meanwhile_is_the_end_once(story: Reported, point: str) -> None:
    async with story.dying(point):
        await story.accepted("/deferred", {}, restante_deadline="300ms")
    async with story.running():
        found = await story.ended()
        assert (found["status"], found["outcome"]) == ("failed", "expired")
        assert [event["status"] for event in found["events"]].count("failed") == 1
        assert len(story.upstream.calls) <= 1  # on a busy machine it passes before its turn


# -- what takes longer than one attempt


@kills(["claim.taken", "attempt.begun", "mark.before_commit"], quick=["claim.taken"])
async def test_what_waits_for_its_time_is_run_once(story: Reported, point: str) -> None:
    async with story.dying(point):
        await story.call("POST", "/async/work", {}, restante_delay="50ms")
    async with story.running():
        assert (await story.ended())["status"] == "completed"
        assert len(story.upstream.calls) == 1


def busy_first() -> Any:
    """Refuses the first call, surely without having done anything."""
    calls = 0

    def answer(call: Call) -> bytes:
        nonlocal calls
        calls += 1
        return OK if calls > 1 else b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

    return answer


RETRY = {
    "retry.before_commit": ("failed", "interrupted", 1),  # nobody knows what the upstream has said
    "retry.committed": ("completed", "answered", 2),
    "claim.taken": ("completed", "answered", 2),
    "attempt.begun@2": ("completed", "answered", 2),
    "mark.before_commit@2": ("completed", "answered", 2),
    "mark.committed@2": ("failed", "interrupted", 1),
    "end.committed": ("completed", "answered", 2),
}


@kills(RETRY, quick=["retry.committed"])
async def test_another_attempt_is_made_once_where_the_first_was_refused(story: Reported, point: str) -> None:
    story.upstream.answer = busy_first()
    settings = story.config.read_text()
    story.config.write_text(settings.replace('backoff = "10ms"', 'backoff = "10ms", on = [503]'))
    async with story.dying(point):
        await story.call("POST", "/async/work", {})
    async with story.running():
        found = await story.ended()
        assert (found["status"], found["outcome"], len(story.upstream.calls)) == RETRY[point]


@kills(["lease.renewed"])
async def test_a_lease_that_was_renewed_ends_with_its_process(story: Reported, point: str) -> None:
    story.upstream.gate.clear()
    async with story.dying(point):
        post = await story.accepted("/work", {})
        put = await story.accepted("/work", {}, method="PUT")
    story.upstream.gate.set()
    async with story.running():
        async with asyncio.timeout(10):
            assert (await story.ended(post))["outcome"] == "interrupted"
            assert (await story.ended(put))["attempt"] == 2
        assert sorted(call.method for call in story.upstream.calls) == ["POST", "PUT", "PUT"]
