"""kill -9 between every two steps of a transaction's life: nothing is lost, nothing is run twice."""

import contextlib
from pathlib import Path

import httpx
import pytest

from ..matrix import rows
from .harness import Process, RecordingUpstream, caller, free_port, serving, settled
from .test_kill_later import DEFERRED, QUESTION
from .victim import PROGRESS, STEPS

VICTIM = Path(__file__).parent / "victim.py"
BODY = b'{"request":{"amount":100}}'

# What must be found after the restart of a POST that must not be repeated: status, outcome, and how
# often the upstream was called. None: it was never accepted.
ONCE = {
    "before the accept commit": None,
    "after the accept commit": ("completed", "answered", 1),
    "before connecting": ("completed", "answered", 1),
    "with the connection in hand": ("completed", "answered", 1),
    "before the mark's commit": ("completed", "answered", 1),
    "after the mark's commit": ("failed", "interrupted", 0),
    "after the request was sent": ("failed", "interrupted", 1),
    "with the answer in hand": ("failed", "interrupted", 1),
    "after the end's commit": ("completed", "answered", 1),
}

# The same where the route allows a repetition.
AGAIN = {
    step: expected and ("completed", "answered", 2 if expected == ("failed", "interrupted", 1) else 1)
    for step, expected in ONCE.items()
}


def config(folder: Path, upstream: str, port: int, *, interrupted: str = "fail") -> Path:
    path = folder / "restante.toml"
    path.write_text(
        f"""
        listen = "127.0.0.1:{port}"
        store = "sqlite:///{folder}/restante.db"
        [upstream]
        url = "{upstream}"
        retry = {{ attempts = 3, backoff = "10ms" }}
        [[routes]]
        match = "* /*"
        interrupted = "{interrupted}"
        """
    )
    return path


async def all_ids(client: httpx.AsyncClient, url: str) -> list[str]:
    listed = (await client.get(f"{url}/-/transactions")).json()
    return [row["id"] for row in listed["transactions"]]


@pytest.mark.parametrize(
    ("step", "interrupted"),
    rows(
        [
            *((step, "fail") for step in ONCE),
            *((step, "retry") for step in ONCE if AGAIN[step] != ONCE[step]),
        ],
        quick=lambda row: row[0].startswith("after"),
    ),
)
async def test_kill_at_each_step_loses_nothing_and_repeats_only_what_may_be_repeated(
    step: str, interrupted: str, tmp_path: Path
) -> None:
    expected = (ONCE if interrupted == "fail" else AGAIN)[step]
    async with RecordingUpstream() as upstream, caller() as client:
        port = free_port()
        path = config(tmp_path, upstream.url, port, interrupted=interrupted)
        victim = await Process(str(VICTIM), step, str(path), port=port, cwd=tmp_path).ready()
        answer = None
        with contextlib.suppress(httpx.TransportError):  # it may die before it can answer
            answer = await client.post(f"{victim.url}/async/payments", content=BODY)
        assert await victim.ended() == -9
        again = await serving(upstream.url, tmp_path, "--config", str(path), port=port).ready()
        try:
            ids = await all_ids(client, again.url)
            if answer is not None:
                assert answer.status_code == 202
                assert ids == [answer.json()["request_id"]]
            if expected is None:
                assert ids == []
                return
            (id,) = ids
            found = await settled(client, again.url, id)
            assert (found["status"], found["outcome"], len(upstream.calls)) == expected
            assert [call.body for call in upstream.calls] == [BODY] * len(upstream.calls)
            sequences = [event["sequence"] for event in found["events"]]
            assert sequences == list(range(1, len(sequences) + 1))
            if found["outcome"] == "interrupted":
                assert "unknown" in found["events"][-1]["message"]
        finally:
            await again.kill()


@pytest.mark.parametrize("step", ["with the reading reserved", "before the reading is confirmed"])
async def test_an_error_whose_reader_was_cut_off_by_a_kill_can_be_read_again(
    step: str, tmp_path: Path
) -> None:
    refusal = b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 2\r\n\r\n{}"
    async with RecordingUpstream(lambda call: refusal) as upstream, caller() as client:
        port = free_port()
        path = config(tmp_path, upstream.url, port)
        victim = await Process(str(VICTIM), step, str(path), port=port, cwd=tmp_path).ready()
        accepted = (await client.post(f"{victim.url}/async/payments", content=BODY)).json()
        await settled(client, victim.url, accepted["request_id"])
        with contextlib.suppress(httpx.TransportError):
            await client.get(accepted["response_url"])
        assert await victim.ended() == -9
        again = await serving(upstream.url, tmp_path, "--config", str(path), port=port).ready()
        try:
            assert (await client.get(accepted["response_url"])).status_code == 422
            assert (await client.get(accepted["response_url"])).status_code == 404
        finally:
            await again.kill()


def test_every_step_is_covered() -> None:
    reading = {"with the reading reserved", "before the reading is confirmed"}
    assert set(STEPS) == {*ONCE, *reading, *DEFERRED, *QUESTION, *PROGRESS}
