"""The version before this one and this one, on one store. PREVIOUS names another one (previous.py)."""

import asyncio
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import restante
from restante.torture.faults import CHANGE
from restante.torture.places import Place, file_in
from restante.torture.plan import Plan
from restante.torture.postgres import own_database
from restante.torture.report import document, report
from restante.torture.run import torture
from restante.torture.servers import SERVE, Server
from restante.torture.site import Asked, Site, answer

from ..proof import record, record_torture
from .previous import Previous, previous, started_from

PACKAGE = Path(restante.__file__).parent

ROLES = ("gateway", "all", "runner")
"""What a gateway of one version accepts, the runner of another may have to run."""


def tortured(plan: Plan, place: Place, folder: Path, old: Previous) -> None:
    """Every law must hold, with servers of that version at first, and then of this one."""
    commands = ([*old.program, "serve"], SERVE)
    outcome = asyncio.run(
        torture(
            plan,
            place,
            folder,
            commands=commands,
            program=old.program,
            say=lambda line: print(line, file=sys.stderr),
        )
    )
    print(report(outcome))
    assert outcome.verdict == "held"
    assert outcome.faults[CHANGE] >= plan.nodes
    record_torture(
        document(outcome),
        f"the version before and this one, {outcome.store}",
        note=f"{old.commit} (schema {old.schema}) and schema {old.now}",
    )


@pytest.mark.all
def test_two_versions_share_a_database_whichever_replaces_which(tmp_path: Path) -> None:
    old = previous("postgres", tmp_path / "old")
    (tmp_path / "run").mkdir()
    with own_database(minutes=1) as place:
        plan = Plan(seconds=60, seed=1, nodes=len(ROLES), roles=ROLES)
        tortured(plan, place, tmp_path / "run", old)


@pytest.mark.all
def test_a_step_that_shuts_out_the_version_before_is_caught(tmp_path: Path) -> None:
    """The next version is this one with such a step."""
    shutil.copytree(PACKAGE, tmp_path / "next" / "restante", ignore=shutil.ignore_patterns("__pycache__"))
    steps = tmp_path / "next" / "restante" / "stores" / "postgres" / "migrations"
    number = len(list(steps.glob("*.sql"))) + 1
    (steps / f"{number:04}_contract.sql").write_text(
        f"ALTER TABLE restante.nodes ADD CHECK (version >= {number}) NOT VALID;\n"
    )
    (tmp_path / "run").mkdir()
    plan = Plan(seconds=15, seed=1, nodes=2, retention=15, only=(CHANGE,), least=50)
    later = [*started_from(tmp_path / "next"), "serve"]
    with own_database(minutes=1) as place:
        outcome = asyncio.run(torture(plan, place, tmp_path / "run", commands=(SERVE, later)))
    print(report(outcome))
    assert outcome.trouble is not None
    assert "server" in outcome.trouble
    record(
        "a migration that shuts out the version before",
        operations=outcome.counts,
        caught=["a server that ends by itself"],
    )


@pytest.mark.all
def test_a_file_goes_on_with_the_next_version(tmp_path: Path) -> None:
    old = previous("sqlite", tmp_path / "old")
    (tmp_path / "run").mkdir()
    with file_in(tmp_path / "run", minutes=1) as place:
        tortured(Plan(seconds=45, seed=1, least=50), place, tmp_path / "run", old)


SETTINGS = """\
store = "{store}"
log_level = "warning"

[upstream]
url = "{upstream}"
"""
COUNT = 30


class Upstream:
    """Answers with what it was sent, backwards; what is `/held` only when it is let go on."""

    def __init__(self) -> None:
        self.site = Site(self._answer)
        self.let_go = asyncio.Event()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.target == "/held":
            await self.let_go.wait()
        writer.write(answer(200, asked.body[::-1], ("Content-Type", "application/x-backwards"), ("X-A", "1")))


async def ended(client: httpx.AsyncClient, id: str) -> dict[str, Any]:
    """How it looks when it has ended."""
    async with asyncio.timeout(60):
        while True:
            found = await client.get(f"/-/transactions/{id}", headers={"Prefer": "wait=5"})
            if found.json()["status"] not in ("pending", "processing"):
                return found.json()


async def seen(client: httpx.AsyncClient) -> dict[str, Any]:
    """All there is to see, by where it is."""
    listed = (await client.get("/-/transactions?limit=100")).json()["transactions"]
    found: dict[str, Any] = {"listed": [one["id"] for one in listed]}
    found["fed"] = [
        (one["data"]["id"], one["data"]["sequence"])
        for one in (await client.get("/-/events?limit=100")).json()["events"]
    ]
    for one in listed:
        found[one["id"]] = (await client.get(f"/-/transactions/{one['id']}")).json()
        result = await client.get(f"/-/transactions/{one['id']}/result")
        told = {name: text for name, text in result.headers.items() if name != "date"}
        found[f"{one['id']}/result"] = (result.status_code, told, result.content)
    return found


def started(old: Previous, config: Path) -> "subprocess.CompletedProcess[str]":
    """What it says that does not let it start."""
    command = [*old.program, "serve", "--config", str(config), "--listen", "127.0.0.1:0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.all
async def test_what_one_version_wrote_the_next_one_has_byte_for_byte(tmp_path: Path) -> None:
    """And what was under way when it was killed goes on as after any kill. There is no way back: the version
    before says so in one line, and leaves the file as it is."""
    old = previous("sqlite", tmp_path / "old")
    upstream = Upstream()
    await upstream.site.open()
    config = tmp_path / "restante.toml"
    config.write_text(SETTINGS.format(store=f"sqlite:///{tmp_path}/one.db", upstream=upstream.site.url))
    server = Server(0, config=config, commands=([*old.program, "serve"], SERVE))
    try:
        await server.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            bodies = [random.Random(number).randbytes(number**4) for number in range(COUNT)]
            ids = [(await client.post("/async/done", content=body)).json()["request_id"] for body in bodies]
            for id in ids:
                assert (await ended(client, id))["status"] == "completed"
            before = await seen(client)
            held = [
                (await client.request(method, "/async/held", content=b"held")).json()["request_id"]
                for method in ("PUT", "POST")
            ]
            await server.kill()
            server.change_version(back=False)
            await server.start()
            after = await seen(client)
            assert [id for id in after["listed"] if id not in held] == before["listed"]
            assert after["fed"][: len(before["fed"])] == before["fed"]
            for name in before.keys() - {"listed", "fed"}:
                assert after[name] == before[name]
            upstream.let_go.set()
            again, interrupted = [await ended(client, id) for id in held]
            assert (again["status"], interrupted["outcome"]) == ("completed", "interrupted")
            bytes_of = [(await client.get(f"/-/transactions/{id}/result")).content for id in ids]
            assert bytes_of == [body[::-1] for body in bodies]
        assert await server.terminate() == 0
    finally:
        server.drop()
        await upstream.site.close()
    refused = await asyncio.to_thread(started, old, config)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "newer version of Restante" in refused.stderr
