"""The examples in other languages do what they say: callers in three, upstreams in two."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .. import insisting
from ..cli.cable import cut
from .harness import Process, free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_SECONDS = 120

CALLERS = {"curl": ["sh", "caller.sh"], "Node": ["node", "caller.mjs"], "PHP": ["php", "caller.php"]}
UPSTREAMS = {"Node": ["node", "upstream.mjs"], "PHP": ["php", "-S", "127.0.0.1:PORT", "upstream.php"]}
NEEDS = {"caller.sh": "curl"}


def lacking(command: list[str]) -> str:
    """What is not on this machine and is needed for it."""
    program = NEEDS.get(command[-1], command[0])
    if not shutil.which(program):
        return f"no {program} here"
    if command[-1] == "caller.php":  # a package of its own in many systems
        modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout
        return "" if "curl" in modules.split() else "no curl in the PHP here"
    return ""


def those(commands: dict[str, list[str]]) -> list[object]:
    return [
        pytest.param(command, id=name, marks=pytest.mark.skipif(bool(why), reason=why))
        for name, command in commands.items()
        for why in [lacking(command)]
    ]


@pytest.fixture(scope="module", params=those(UPSTREAMS))
def upstream(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Path]]:
    """Its port, and where its orders are."""
    port, folder = free_port(), tmp_path_factory.mktemp("orders")
    command = [word.replace("PORT", str(port)) for word in request.param]
    child = subprocess.Popen(
        command,
        cwd=EXAMPLES / "upstreams",
        env={**os.environ, "PORT": str(port), "FOLDER": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while child.poll() is None:
            with closing(socket.socket()) as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield port, folder
    finally:
        child.kill()
        child.wait()


@pytest.fixture
async def gateway(upstream: tuple[int, Path], tmp_path: Path) -> AsyncIterator[str]:
    port = free_port()
    text = (EXAMPLES / "upstreams" / "restante.toml").read_text()
    path = tmp_path / "restante.toml"
    path.write_text(text.replace("8600", str(port)).replace("9003", str(upstream[0])))
    server = await Process("-m", "restante", "serve", "--config", str(path), port=port, cwd=tmp_path).ready()
    yield server.url
    await server.kill()


async def run(
    command: list[str], *words: str, gateway: str, **more: str
) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run,
        [*command, *words],
        cwd=EXAMPLES / "callers",
        env={**os.environ, "GATEWAY": gateway, **more},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("caller", those(CALLERS))
async def test_a_caller_gets_the_answer_and_a_key_makes_one_order(
    caller: list[str], upstream: tuple[int, Path], gateway: str
) -> None:
    folder = upstream[1]
    before = len(list(folder.iterdir()))
    order = ("POST", "/orders", '{"item": "book"}')
    ended = await run(caller, *order, gateway=gateway, KEY="order-7")
    assert ended.returncode == 0, ended
    assert json.loads(ended.stdout)["item"] == "book"
    assert ended.stderr.startswith(f"accepted: {gateway}/async/result/")
    again = await run(caller, *order, gateway=gateway, KEY="order-7")
    assert (again.returncode, again.stdout) == (0, ended.stdout)
    other = await run(caller, *order, gateway=gateway)
    assert json.loads(other.stdout)["order"] != json.loads(ended.stdout)["order"]
    assert len(list(folder.iterdir())) - before in (1, 2)  # the key order-7 may have been another caller's


@pytest.mark.parametrize("caller", those(CALLERS))
async def test_a_caller_tells_an_upstreams_error_from_a_refusal(caller: list[str], gateway: str) -> None:
    refused = await run(caller, "POST", "/orders", "{}", gateway=gateway)
    assert (refused.returncode, refused.stdout) == (1, '{"message":"item is missing"}')
    reused = await run(caller, "POST", "/orders", "{}", gateway=gateway, KEY="once")
    reused = await run(caller, "POST", "/orders", "[]", gateway=gateway, KEY="once")
    assert (reused.returncode, reused.stdout) == (2, "")
    assert "different request" in reused.stderr


@pytest.mark.parametrize("caller", those(CALLERS))
async def test_a_caller_goes_on_where_its_connections_break(caller: list[str], gateway: str) -> None:
    with cut(gateway, 0, 10**9, 20) as cable:  # the accept, not the second time, and the answer
        ended = await run(caller, "POST", "/orders", '{"item": "ink"}', gateway=cable.url)
    assert (ended.returncode, json.loads(ended.stdout)["item"]) == (0, "ink"), ended
    assert len(cable.asked) == 4
    async with insisting.caller() as client:
        listed = (await client.get(f"{gateway}/-/transactions")).json()
    assert len(listed["transactions"]) == 1


async def test_an_upstream_makes_one_order_for_a_key_however_often_it_is_asked(
    upstream: tuple[int, Path],
) -> None:
    port, folder = upstream
    before = len(list(folder.iterdir()))
    async with insisting.caller(base_url=f"http://127.0.0.1:{port}") as client:
        key = {"Idempotency-Key": "the same"}
        answers = await asyncio.gather(
            *(client.post("/orders", json={"item": "pen"}, headers=key) for _ in range(10))
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(list(folder.iterdir())) == before + 1
