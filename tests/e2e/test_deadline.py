"""A deadline passes while nothing else happens: the transaction ends then, and not when somebody looks."""

from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from .harness import RecordingUpstream, caller, free_port, serving, settled

LATE_SECONDS = 0.5
"""Some 100 ms, and room for a busy machine."""


def config(folder: Path) -> str:
    """One attempt at a time: what comes second waits."""
    path = folder / "restante.toml"
    path.write_text('[upstream]\nconcurrency = 1\ntimeout = "60s"\n')
    return str(path)


def span_seconds(found: dict[str, Any]) -> float:
    created, updated = (datetime.fromisoformat(found[name]) for name in ("created_at", "updated_at"))
    return (updated - created).total_seconds()


async def submit(client: httpx.AsyncClient, url: str, **options: str) -> str:
    headers = {"Restante-" + name: value for name, value in options.items()}
    answer = await client.post(f"{url}/async/payments", content=b"{}", headers=headers)
    assert answer.status_code == 202
    id: str = answer.json()["request_id"]
    return id


async def test_what_waits_ends_when_its_deadline_passes(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, caller(timeout=30) as client:
        upstream.gate.clear()
        gateway = await serving(upstream.url, tmp_path, "--config", config(tmp_path)).ready()
        try:
            await submit(client, gateway.url)
            await upstream.arrived.wait()
            ids = [await submit(client, gateway.url, Deadline=f"{span}ms") for span in (2000, 1500, 2010)]
            url = f"{gateway.url}/async/result/{ids[0]}"
            assert (await client.get(url, headers={"Prefer": "wait=10"})).status_code == 504
            for id, wanted in zip(ids, (2.0, 1.5, 2.01), strict=True):
                found = await settled(client, gateway.url, id)
                assert (found["status"], found["outcome"]) == ("failed", "expired")
                assert wanted <= span_seconds(found) < wanted + LATE_SECONDS
            assert len(upstream.calls) == 1
        finally:
            await gateway.kill()


async def test_a_deadline_is_kept_by_the_process_after_the_one_that_took_it(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, caller(timeout=30) as client:
        upstream.gate.clear()
        more, port = ("--config", config(tmp_path)), free_port()
        gateway = await serving(upstream.url, tmp_path, *more, port=port).ready()
        id = await submit(client, gateway.url, Deadline="4s", Delay="3900ms")
        await gateway.kill()
        again = await serving(upstream.url, tmp_path, *more, port=port).ready()
        try:
            await submit(client, again.url)
            await upstream.arrived.wait()  # from now on, nothing else is run
            found = await settled(client, again.url, id)
            assert (found["status"], found["outcome"], found["attempt"]) == ("failed", "expired", 0)
            assert 4.0 <= span_seconds(found) < 4.0 + LATE_SECONDS
        finally:
            await again.kill()
