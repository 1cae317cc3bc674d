"""The examples of deferred work do what they say: an API in Node, the same in Python, and the session."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .harness import Process, caller, free_port, settled

FOLDER = Path(__file__).parents[2] / "examples" / "deferred"
NODE = shutil.which("node")

UPSTREAMS = [
    pytest.param(["python", "upstream.py"], id="Python"),
    pytest.param(
        ["node", "upstream.mjs"], id="Node", marks=pytest.mark.skipif(NODE is None, reason="no Node here")
    ),
]


def test_the_session_is_a_shell_script() -> None:
    subprocess.run(["sh", "-n", str(FOLDER / "session.sh")], check=True)


def start(*command: str, port: int) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PORT": str(port), "SECONDS_OF_WORK": "0.2"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("command", UPSTREAMS)
async def test_an_upstream_reports_progress_and_the_end(command: list[str], tmp_path: Path) -> None:
    upstream_port, port = free_port(), free_port()
    program = sys.executable if command[0] == "python" else NODE or ""
    upstream = start(program, str(FOLDER / command[1]), port=upstream_port)
    assert upstream.stdout is not None
    try:
        assert upstream.stdout.readline().strip() == f"http://127.0.0.1:{upstream_port}"
        text = (FOLDER / "restante.toml").read_text()
        path = tmp_path / "restante.toml"
        path.write_text(text.replace("8600", str(port)).replace("9002", str(upstream_port)))
        gateway = await Process(
            "-m", "restante", "serve", "--config", str(path), port=port, cwd=tmp_path
        ).ready()
        try:
            async with caller() as client:
                for order, code in ((b'{"topic": "sales"}', 200), (b"{}", 422)):
                    task = (await client.post(f"{gateway.url}/async/reports", content=order)).json()
                    done = await settled(client, gateway.url, task["request_id"])
                    messages = [event["message"] for event in done["events"]]
                    assert {"Collecting the numbers", "Drawing the charts"} <= set(messages)
                    assert done["status"] == ("completed" if code == 200 else "failed")
                    result = await client.get(task["response_url"])
                    assert result.status_code == code
                session = await asyncio.to_thread(
                    subprocess.run,
                    ["sh", str(FOLDER / "session.sh")],
                    env={**os.environ, "GATEWAY": gateway.url},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                assert '"pages":12' in session.stdout
                assert session.stdout.rstrip().endswith("404")
        finally:
            await gateway.kill()
    finally:
        upstream.kill()
        upstream.wait()
        upstream.stdout.close()
