"""The examples of applications with Restante inside do what their page says; so do the page's own."""

import re
import textwrap
from pathlib import Path

import pytest
from fastapi import FastAPI

from .harness import Process, caller, free_port, settled

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "embedded"
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def example(name: str, folder: Path) -> Process:
    port = free_port()
    command = ("-m", "uvicorn", f"{name}:app", "--port", str(port), "--app-dir", str(FOLDER))
    return Process(*command, port=port, cwd=folder, environment={"SECONDS_OF_WORK": "0.03"})


@pytest.mark.parametrize(
    ("name", "method", "path", "body", "answer"),
    [
        ("reports", "POST", "/reports", {"year": 2026}, {"year": 2026, "total": 1234}),
        ("shop", "GET", "/orders?number=7", None, {"order": "7", "status": "packed"}),
    ],
)
async def test_an_application_is_as_it_was_and_in_the_background(
    name: str, method: str, path: str, body: object, answer: object, tmp_path: Path
) -> None:
    process = await example(name, tmp_path).ready()
    async with caller(base_url=process.url) as client:
        assert (await client.request(method, path, json=body)).json() == answer
        accepted = await client.request(method, f"/async{path}", json=body)
        assert accepted.status_code == 202
        ended = await settled(client, process.url, accepted.json()["request_id"])
        assert ended["status"] == "completed"
        assert (await client.get(accepted.json()["response_url"])).json() == answer
    await process.terminate()


async def test_a_function_is_a_transaction(tmp_path: Path) -> None:
    process = await example("tickets", tmp_path).ready()
    async with caller(base_url=process.url) as client:
        ticket = {"subject": "A lamp", "order_id": "7"}
        accepted = (await client.post("/channel/v0/tickets", json=ticket)).json()
        await settled(client, process.url, accepted["transaction_id"])
        seen = (await client.get(accepted["links"][0]["path"])).json()
        assert seen["events"][-1]["message"] == "Ticket created"
        assert seen["events"][-1]["data"] == {"ticket_id": "T-7"}
        accepted = (await client.post("/channel/v0/tickets", json={**ticket, "order_id": "x"})).json()
        await settled(client, process.url, accepted["transaction_id"])
        seen = (await client.get(accepted["links"][0]["path"])).json()
        assert seen["events"][-1]["data"] == {"error_message": "There is no such order."}
    await process.terminate()


def test_what_the_page_shows_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = PYTHON.findall((ROOT / "docs" / "embed.md").read_text())
    assert len(shown) == 4
    page: dict[str, object] = {"__name__": "page", "app": print, "FastAPI": FastAPI}
    for code in shown:
        exec(textwrap.dedent(code), page)
