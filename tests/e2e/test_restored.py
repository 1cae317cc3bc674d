"""A copy made while the server works, and restored: what was sent since is not sent again unasked."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from ..cli.process import run
from .harness import RecordingUpstream, caller, serving, settled


@pytest.mark.parametrize("told", [True, False])
async def test_what_was_due_in_a_restored_copy_is_interrupted_where_that_is_said(
    tmp_path: Path, told: bool
) -> None:
    file, copy = tmp_path / "restante.db", tmp_path / "copy.db"
    async with RecordingUpstream() as upstream, caller(timeout=30) as client:
        (tmp_path / "restante.toml").write_text(
            f'store = "sqlite:///restante.db"\n[upstream]\nurl = "{upstream.url}"\nconcurrency = 1\n'
        )
        server = await serving(upstream.url, tmp_path).ready()
        upstream.gate.clear()
        ids = []
        for number, method in enumerate(("POST", "POST", "PUT", "POST")):
            later = {"Restante-Delay": "1h"} if number == 3 else {}
            answer = await client.request(method, f"{server.url}/async/{number}", json={}, headers=later)
            ids.append(answer.json()["request_id"])
        await upstream.arrived.wait()
        await asyncio.to_thread(backed_up, file, copy)
        upstream.gate.set()
        for id in ids[:3]:
            assert (await settled(client, server.url, id))["status"] == "completed"
        await server.terminate()

        before = len(upstream.calls)
        for rest in tmp_path.glob("restante.db*"):
            rest.unlink()
        shutil.copy(copy, file)
        if told:
            done = await asyncio.to_thread(run, "migrate", "--restored", folder=tmp_path)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.split()[0] == str(len(ids) - 2)  # not the one being sent, nor the delayed one
        server = await serving(upstream.url, tmp_path).ready()
        try:
            found = [await settled(client, server.url, id) for id in ids[:3]]
            again = sorted(call.target for call in upstream.calls[before:])
            delayed = (await client.get(f"{server.url}/-/transactions/{ids[3]}")).json()
            assert delayed["status"] == "pending"
            if told:
                assert [one["outcome"] for one in found] == ["interrupted", "interrupted", "answered"]
                assert any("Restored" in event["message"] for event in found[1]["events"])
                assert again == ["/2"]  # a PUT may be repeated
            else:
                assert again == ["/1", "/2"]  # the harm that it is for
        finally:
            await server.kill()


def backed_up(file: Path, copy: Path) -> None:
    """As docs/operate/backup.md says."""
    text = (Path(__file__).parents[2] / "docs/operate/backup.md").read_text()
    (command,) = [
        line for line in text.splitlines() if line.strip().startswith('sqlite3 restante.db "VACUUM')
    ]
    assert command.strip() == "sqlite3 restante.db \"VACUUM INTO 'copy.db'\""
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', (sys.argv[2],))"
    subprocess.run(["python3", "-c", code, str(file), str(copy)], check=True)
