"""An application with Restante in it keeps the same promises, whatever becomes of its server."""

import asyncio
from pathlib import Path

from .harness import END_SECONDS, PAUSE_SECONDS, Process, caller, free_port, settled

APP = "tests.e2e.embedded:app"


def hosted(folder: Path, *more: str, port: int = 0, store: str = "") -> Process:
    port = port or free_port()
    environment = {"EMBEDDED_FOLDER": str(folder)}
    if store:
        environment["EMBEDDED_STORE"] = store
    command = ("-m", "uvicorn", APP, "--port", str(port), "--app-dir", str(Path(__file__).parents[2]))
    return Process(*command, *more, port=port, cwd=folder, environment=environment)


async def calls(folder: Path, count: int) -> list[str]:
    """Once the application was called so often."""
    for _ in range(int(END_SECONDS / PAUSE_SECONDS)):
        if (folder / "calls").exists() and len(lines := (folder / "calls").read_text().split()) >= count:
            return lines
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("it was not called")


async def test_kill_of_the_host_loses_nothing_and_repeats_only_what_may_be_repeated(tmp_path: Path) -> None:
    port = free_port()
    host = await hosted(tmp_path, port=port).ready()
    async with caller() as client:
        post = (await client.post(f"{host.url}/async/work", content="post")).json()["request_id"]
        await calls(tmp_path, 1)
        put = (await client.put(f"{host.url}/async/work", content="put")).json()["request_id"]
        await calls(tmp_path, 2)
        later = await client.post(f"{host.url}/async/work", content="later", headers={"Restante-Delay": "1s"})
        await host.kill()
        (tmp_path / "gate").touch()
        host = await hosted(tmp_path, port=port).ready()
        ended = await settled(client, host.url, post)
        assert (ended["status"], ended["outcome"]) == ("failed", "interrupted")
        ended = await settled(client, host.url, put)
        assert (ended["status"], ended["attempt"]) == ("completed", 2)
        assert (await settled(client, host.url, later.json()["request_id"]))["status"] == "completed"
        assert sorted(await calls(tmp_path, 4)) == ["1", "1", "1", "2"]
    await host.terminate()


async def test_kill_of_the_host_repeats_only_operations_that_may_be_repeated(tmp_path: Path) -> None:
    port = free_port()
    host = await hosted(tmp_path, port=port).ready()
    async with caller() as client:
        once = (await client.post(f"{host.url}/once")).json()["transaction_id"]
        again = (await client.post(f"{host.url}/again")).json()["transaction_id"]
        await calls(tmp_path, 2)
        await host.kill()
        (tmp_path / "gate").touch()
        host = await hosted(tmp_path, port=port).ready()
        ended = await settled(client, host.url, once)
        assert (ended["status"], ended["outcome"]) == ("failed", "interrupted")
        assert "begun" in [event["message"] for event in ended["events"]]
        ended = await settled(client, host.url, again)
        assert (ended["status"], ended["events"][-1]["data"]) == ("completed", {"attempt": 2})
        assert sorted(await calls(tmp_path, 3)) == ["again-1", "again-2", "once-1"]
    await host.terminate()


async def test_open_streams_do_not_keep_a_host_that_has_a_limit(tmp_path: Path) -> None:
    host = await hosted(tmp_path, "--timeout-graceful-shutdown", "1").ready()
    async with caller() as client:
        once = (await client.post(f"{host.url}/once")).json()["transaction_id"]
        live = {"Accept": "text/event-stream"}
        path = f"{host.url}/-/transactions/{once}/events"
        async with client.stream("GET", path, headers=live) as stream:
            assert stream.status_code == 200
            await host.terminate()


async def test_several_workers_on_one_file_are_refused_with_a_line(tmp_path: Path) -> None:
    first = await hosted(tmp_path).ready()
    second = hosted(tmp_path)
    assert await second.ended() != 0
    line = f"Restante: store: {tmp_path}/restante.db is in use by another server"
    assert line in second.errors()
    await first.terminate()


async def test_several_workers_share_a_postgresql(database: str, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    host = await hosted(tmp_path, "--workers", "2", store=database).ready()
    async with caller() as client:
        ids = [
            (await client.post(f"{host.url}/async/work", content=str(number))).json()["request_id"]
            for number in range(10)
        ]
        for id in ids:
            assert (await settled(client, host.url, id))["status"] == "completed"
    await host.terminate()
