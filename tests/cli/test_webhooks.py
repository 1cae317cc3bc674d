"""`restante endpoints` and `restante deliveries` against a gateway."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from restante.cli.events import pages
from restante.cli.remote import Server
from restante.webhooks.webhooks import Webhooks

from ..couriers import answered
from ..gateway.house import House
from ..world import eventually
from .test_command_line import Command, Ended, command

__all__ = ["command"]

URL = "https://a.example/hook"


class Shell:
    """Runs commands in a thread, while the gateway goes on in the loop."""

    def __init__(self, house: House, command: Command) -> None:
        self.house = house
        self._command = command

    async def __call__(self, *arguments: str) -> Ended:
        server = f"http://127.0.0.1:{self.house.port}"
        return await asyncio.to_thread(self._command, *arguments, "--server", server)

    async def json(self, *arguments: str) -> dict[str, object]:
        ended = await self(*arguments, "--json")
        told: dict[str, object] = ended.told()
        return told


@pytest.fixture
async def shell(tmp_path: Path, command: Command) -> AsyncIterator[Shell]:
    house = await House.open(tmp_path)
    yield Shell(house, command)
    await house.close()


async def test_an_endpoint_is_made_changed_and_removed(shell: Shell) -> None:
    made = await shell("endpoints", "create", URL, "--status", "failed", "--operation", "create")
    assert made.code == 0, made.errors
    lines = dict(line.split(None, 1) for line in made.printed.splitlines())
    assert lines["secret"].startswith("whsec_")
    id = lines["id"]
    listed = await shell.json("endpoints")
    (one,) = listed["endpoints"]  # type: ignore[misc]
    assert one["filters"] == {"status": ["failed"], "operation": ["create"], "trigger_endpoint": []}
    assert URL in (await shell("endpoints")).printed
    changed = await shell.json("endpoints", "update", id, "--off", "--thin", "--status", "all")
    assert (changed["active"], changed["payload"]) == (False, "thin")
    rotated = await shell.json("endpoints", "rotate", id, "--keep", "1h")
    assert rotated["secret"] != lines["secret"]
    shown = await shell.json("endpoints", "show", id)
    assert "secret" not in shown
    assert (await shell("endpoints", "update", id)).code == 2
    assert (await shell("endpoints", "delete", id)).code == 0
    gone = await shell("endpoints", "show", id)
    assert gone.code == 5
    assert "restante endpoints lists them" in gone.errors
    assert gone.errors.count("\n") == 1


async def test_a_bad_url_is_one_line(shell: Shell) -> None:
    refused = await shell("endpoints", "create", "http://10.0.0.1/")
    assert (refused.code, refused.printed, refused.errors.count("\n")) == (2, "", 1)


async def test_the_secret_of_callbacks_is_shown(shell: Shell) -> None:
    first = await shell("endpoints", "secret")
    assert first.printed.startswith("whsec_")
    assert (await shell.json("endpoints", "secret"))["secret"] == first.printed.strip()


async def test_deliveries_are_listed_shown_and_sent_again(shell: Shell) -> None:
    house = shell.house
    room = Webhooks()
    room.start(house.service)
    made = await shell.json("endpoints", "create", URL)
    id = str(made["id"])
    house.courier.script[URL] = lambda _: answered(410, answer=b"no more")
    tested = (await shell("endpoints", "test", id)).printed.strip()
    await eventually(lambda: len(house.courier.sent) == 1 and room.at_rest)
    shown = await shell("deliveries", "show", tested)
    assert "dead" in shown.printed
    assert "no more" in shown.printed
    listed = await shell("deliveries", "list", id, "--state", "dead", "--json")
    assert [json.loads(line)["id"] for line in listed.printed.splitlines()] == [tested]
    assert tested in (await shell("deliveries", "list", id)).printed
    del house.courier.script[URL]
    assert (await shell("endpoints", "update", id, "--on")).code == 0
    assert (await shell("deliveries", "replay-all", id)).printed == "1\n"
    await eventually(lambda: len(house.courier.sent) == 2 and room.at_rest)
    assert (await shell("deliveries", "replay", tested)).printed == f"{tested} waiting\n"
    await eventually(lambda: len(house.courier.sent) == 3 and room.at_rest)
    assert (await shell("deliveries", "show", "0" * 32)).code == 5
    await room.stop(0)


async def test_the_feed_is_printed_with_the_cursor_to_go_on_with(shell: Shell) -> None:
    house = shell.house
    nothing = await shell("events")
    assert (nothing.code, nothing.printed, nothing.errors) == (0, "", "")
    one = await house.submit()
    two = await house.submit()
    await house.end(two)
    seen = await shell("events")
    lines = seen.printed.splitlines()
    assert len(lines) == 3
    assert two in lines[0]
    assert [line.split()[1] for line in lines] == ["pending", "processing", "completed"]
    (last,) = seen.errors.splitlines()
    (page,) = (await shell("events", "--json")).printed.splitlines()
    assert len(json.loads(page)["events"]) == 3
    cursor = json.loads(page)["next"]
    assert last == f"restante: go on with --after {cursor}"
    assert (await shell("events", "--after", cursor, "--json")).printed == ""
    await house.begin(one)
    (page,) = (await shell("events", "--after", cursor, "--json")).printed.splitlines()
    assert [event["data"]["id"] for event in json.loads(page)["events"]] == [one, one]
    wrong = await shell("events", "--after", "x", "--json")
    assert (wrong.code, wrong.printed, wrong.errors.count("\n")) == (2, "", 1)


async def test_the_feed_is_followed(shell: Shell) -> None:
    house = shell.house
    server = Server(f"http://127.0.0.1:{house.port}")
    followed = pages(server, None, follow=True, tenant=None)
    for _ in range(3):
        coming = asyncio.create_task(asyncio.to_thread(next, followed))
        id = await house.submit()
        await house.begin(id)
        page = await asyncio.wait_for(coming, 20)
        assert [event["data"]["id"] for event in page["events"]] == [id, id]


async def test_what_is_somebody_elses_is_not_listed(shell: Shell) -> None:
    id = await shell.house.submit()
    await shell.house.end(id)
    await shell("endpoints", "create", URL)
    for words, ours in ((("list",), id), (("events",), id), (("endpoints",), URL)):
        found = await shell(*words, "--tenant", "default")
        assert ours in found.printed, found.errors
        assert ours not in (await shell(*words, "--tenant", "another")).printed


async def test_keys_in_the_store_are_listed_as_far_as_is_wanted(command: Command, tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path}/keys.db")
    for tenant in ("a", "b", "a"):
        made = await asyncio.to_thread(
            command, "keys", "create", "--tenant", tenant, "--scopes", "submit,read", *store
        )
        assert made.code == 0, made.errors
    listed = await asyncio.to_thread(command, "keys", "list", "--limit", "2", *store)
    head, *rows = listed.printed.splitlines()
    assert head.split()[:3] == ["ID", "TENANT", "SCOPES"]
    assert [row.split()[1:3] for row in rows] == [["a", "read,submit"], ["b", "read,submit"]]
    assert listed.errors == "restante: there are more than 2; see --limit and --all\n"
    everything = await asyncio.to_thread(command, "keys", "list", "--all", "--tenant", "a", "--json", *store)
    assert [json.loads(line)["tenant"] for line in everything.printed.splitlines()] == ["a", "a"]
    assert everything.errors == ""


async def test_where_the_native_api_is_at_another_address_that_is_said(
    shell: Shell, command: Command
) -> None:
    url = f"http://127.0.0.1:{await shell.house.serve(native=False)}"
    id = await shell.house.submit()
    for words in (("list",), ("show", id), ("result", id), ("cancel", id), ("endpoints",)):
        ended = await asyncio.to_thread(command, *words, "--server", url)
        assert (ended.code, ended.printed) == (2, "")
        assert ended.errors == (
            f"restante: /-/ is not served at {url}; it may be at another address (admin_listen): "
            "ask that one with --server\n"
        )
