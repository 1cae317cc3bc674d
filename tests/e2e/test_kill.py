"""kill -9 at each step from a request to its result: nothing is lost, nothing is run twice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import asyncpg
import pytest

from .harness import OK, PAUSE_SECONDS, Call, RecordingUpstream
from .story import PATIENCE_SECONDS, Story, code, kills

BODY = b'{"request":{"amount":100}}'
LARGE = bytes(range(256)) * 1200
REFUSAL = b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 2\r\n\r\n{}"

# What must be found after the restart of a POST that must not be repeated: status, outcome, and how
# often the upstream was called. None: it was never accepted.
Found = tuple[str, str, set[int]] | None
FRESH = ("completed", "answered", {1})

ONCE: dict[str, Found] = {
    "accept.before_commit": None,
    "accept.written": None,
    "accept.committed": FRESH,
    "accept.told": FRESH,
    "accept.answering": FRESH,
    "accept.answered": FRESH,
    "attempt.begun": FRESH,
    "attempt.connected": FRESH,
    "mark.before_commit": FRESH,
    "change.written@1": FRESH,  # the mark's rows
    "mark.committed": ("failed", "interrupted", {0}),
    "attempt.sending": ("failed", "interrupted", {0}),
    "attempt.sent": ("failed", "interrupted", {0, 1}),
    "attempt.answer_begun": ("failed", "interrupted", {1}),
    "attempt.answered": ("failed", "interrupted", {1}),
    "end.before_commit": ("failed", "interrupted", {1}),
    "change.written@2": ("failed", "interrupted", {1}),  # the end's
    "end.committed": FRESH,
}

# The same where a repetition is allowed, for what is not as above.
AGAIN: dict[str, Found] = {
    point: ("completed", "answered", {calls + 1 for calls in found[2]})
    for point, found in ONCE.items()
    if found is not None and found[1] == "interrupted"
}


def later(point: str) -> str:
    """The same of the second transaction of a process."""
    name, _, time = point.partition("@")
    return f"{name}@{2 + int(time)}" if time else f"{name}@2"


# The second transaction of a process finds a key and a connection at hand. That is kept for it before it is
# written, and its mark is written with it: it may have been sent as soon as it is there at all.
SECOND: dict[str, Found] = {
    later(point): found for point, found in ONCE.items() if not point.startswith(("mark.", "change."))
} | {
    "attempt.connected@2": None,
    "accept.committed@2": ("failed", "interrupted", {0}),
    "accept.told@2": ("failed", "interrupted", {0}),
    "accept.answering@2": ("failed", "interrupted", {0, 1}),
    "accept.answered@2": ("failed", "interrupted", {0, 1}),
    "attempt.begun@2": ("failed", "interrupted", {0}),
    "change.written@3": ("failed", "interrupted", {1}),  # the end's
}


def answer(call: Call) -> bytes:
    match call.target:
        case "/refused":
            return REFUSAL
        case "/large":
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE
        case _:
            return OK


@pytest.fixture
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream(answer) as upstream:
        yield upstream


@pytest.fixture
async def story(tmp_path: Path, store: str, upstream: RecordingUpstream) -> AsyncIterator[Story]:
    more = '[[routes]]\nmatch = "POST /again"\ninterrupted = "retry"'
    async with Story(tmp_path, store, upstream.url, more=more) as story:
        yield story


async def killed(
    story: Story,
    upstream: RecordingUpstream,
    point: str,
    *,
    method: str = "POST",
    path: str = "/work",
    expected: Found,
    before: int = 0,
) -> None:
    """`before`: so many transactions were done by the process that dies."""
    async with story.dying(point):
        for _ in range(before):
            await story.ended(await story.accepted("/work", BODY))
        upstream.calls.clear()
        answered = await story.call(method, f"/async{path}", BODY)
    async with story.running():
        every = await story.all()
        assert len(every) == before + (expected is not None)
        if expected is None:
            assert answered is None
            return
        found = await story.ended(every[0]["id"])
        status, outcome, calls = expected
        assert answered is None or (answered.status_code, answered.json()["request_id"]) == (202, found["id"])
        assert (found["status"], found["outcome"]) == (status, outcome)
        assert len(upstream.calls) in calls
        assert [call.body for call in upstream.calls] == [BODY] * len(upstream.calls)
        result = await story.result(found["id"])
        if outcome == "interrupted":
            assert "unknown" in found["events"][-1]["message"]
            assert result.status_code == 502
        else:
            assert (result.status_code, result.content) == (200, b'{"done":true}')


@kills(ONCE, quick=["accept.committed", "mark.committed", "attempt.sent", "end.committed"])
async def test_a_post_is_not_lost_and_not_repeated(
    story: Story, upstream: RecordingUpstream, point: str
) -> None:
    await killed(story, upstream, point, expected=ONCE[point])


@kills(SECOND, quick=["accept.committed@2"])
async def test_nor_is_one_whose_mark_was_written_with_it(
    story: Story, upstream: RecordingUpstream, point: str
) -> None:
    await killed(story, upstream, point, expected=SECOND[point], before=1)


@kills(AGAIN, quick=["attempt.sent"])
async def test_a_post_that_may_be_repeated_is_done(
    story: Story, upstream: RecordingUpstream, point: str
) -> None:
    await killed(story, upstream, point, path="/again", expected=AGAIN[point])


@kills(AGAIN, quick=["attempt.sent"])
async def test_a_put_is_repeated_until_it_is_done(
    story: Story, upstream: RecordingUpstream, point: str
) -> None:
    await killed(story, upstream, point, method="PUT", expected=AGAIN[point])


# -- an error is read once


READINGS = {"reading.reserved": True, "reading.sent": True, "reading.confirmed": False}
"""Whether it can be read after the kill."""


@kills(READINGS)
async def test_an_error_is_read_again_unless_its_reading_was_confirmed(story: Story, point: str) -> None:
    async with story.running():
        id = await story.accepted("/refused")
        await story.ended(id)
    async with story.dying(point):
        read = await story.call("GET", f"/async/result/{id}")
        assert code(read) in ({None} if point == "reading.reserved" else {None, 422})
    async with story.running():
        codes = [(await story.result(id)).status_code for _ in range(2)]
        assert codes == ([422, 404] if READINGS[point] else [404, 404])


# -- equal submits


SUBMITTED = {
    "accept.before_commit": False,
    "accept.written": False,
    "accept.committed": True,
    "accept.told": True,
    "accept.answering": True,
    "accept.answered": True,
}


@kills(SUBMITTED, quick=["accept.committed"])
async def test_a_submit_that_is_made_again_with_its_key_is_one_transaction(
    story: Story, upstream: RecordingUpstream, point: str
) -> None:
    async with story.dying(point):
        first = await story.call("POST", "/async/work", {}, idempotency_key="k-1")
    async with story.running():
        again = await story.call("POST", "/async/work", {}, idempotency_key="k-1")
        assert again is not None
        assert (again.status_code, "idempotent-replayed" in again.headers) == (202, SUBMITTED[point])
        found = await story.ended()
        assert {again.json()["request_id"], *([first.json()["request_id"]] if first else [])} == {found["id"]}
        assert len(upstream.calls) == 1


@kills(["accept.repeated", "accept.answering"])
async def test_an_error_that_is_made_readable_again_is_read_once(
    story: Story, upstream: RecordingUpstream, point: str
) -> None:
    async with story.running():
        id = await story.accepted("/refused", idempotency_key="k-1")
        await story.ended(id)
        assert [(await story.result(id)).status_code for _ in range(2)] == [422, 404]
    async with story.dying(point):
        assert await story.call("POST", "/async/refused", idempotency_key="k-1") is None
    async with story.running():
        assert await story.accepted("/refused", idempotency_key="k-1") == id
        assert [(await story.result(id)).status_code for _ in range(2)] == [422, 404]
        assert len(upstream.calls) == 1


# -- large bodies


async def pieces(store: str) -> int:
    """How many pieces of bodies there are."""
    if store.startswith("sqlite"):
        file = apsw.Connection(store.removeprefix("sqlite:///"), apsw.SQLITE_OPEN_READONLY)
        file.set_busy_timeout(5000)  # the process that wrote may be at its end
        with contextlib.closing(file):
            return int(file.execute("SELECT count(*) FROM chunks").get)
    connection = await asyncpg.connect(store)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM restante.chunks"))
    finally:
        await connection.close()


async def until_pieces(store: str, count: int) -> None:
    for _ in range(int(PATIENCE_SECONDS / PAUSE_SECONDS)):
        if (found := await pieces(store)) == count:
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError(f"there are {found} pieces")


@kills(["accept.piece_kept@2"])
async def test_what_came_of_a_large_request_is_dropped(story: Story, store: str, point: str) -> None:
    async with story.dying(point):
        assert await story.call("POST", "/async/work", LARGE) is None
    assert await pieces(store) >= 2
    async with story.running():
        assert await story.all() == []
        await until_pieces(store, 0)


@kills(["attempt.piece_kept@2"])
async def test_a_large_answer_that_was_kept_in_part_is_fetched_whole(
    story: Story, upstream: RecordingUpstream, store: str, point: str
) -> None:
    async with story.dying(point):
        await story.call("PUT", "/async/large", LARGE)
    async with story.running():
        found = await story.ended()
        assert (found["status"], len(upstream.calls)) == ("completed", 2)
        assert [call.body for call in upstream.calls] == [LARGE, LARGE]
        assert (await story.result(found["id"])).content == LARGE
        await until_pieces(store, 2 * -(-len(LARGE) // (128 * 1024)))
