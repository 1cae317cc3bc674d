"""Something that goes on over several processes, one after the other, on one store and one port; some of them
die at a failpoint."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from restante.failpoints.points import BY_NAME

from ..proof import add
from .harness import PAUSE_SECONDS, Process, caller, free_port, settled

VICTIM = Path(__file__).parent / "victim.py"
PATIENCE_SECONDS = 20.0
KILLED = -9

COVERED: set[tuple[str, str]] = set()
"""Store and point, of all that `kills` was asked for."""


def named(point: str) -> str:
    """Without which time it is meant."""
    return point.partition("@")[0]


def kills(
    points: Iterable[str], *, quick: Iterable[str] = (), stores: Iterable[str] = ("sqlite", "postgres")
) -> pytest.MarkDecorator:
    """For a test of (store, point): each of them on each store where it is reached."""
    every = [(store, point) for store in stores for point in points if store in BY_NAME[named(point)].stores]
    COVERED.update((store, named(point)) for store, point in every)
    soon = {("sqlite", point) for point in quick or [every[0][1]]}
    return pytest.mark.parametrize(
        ("store", "point"),
        [row if row in soon else pytest.param(*row, marks=pytest.mark.slow) for row in every],
        indirect=["store"],
    )


def victim(point: str, config: Path, *, port: int, hours: int = 0) -> Process:
    """A server that dies at this point, if at any; its clock is so far ahead."""
    name, _, time = point.partition("@")
    order = f"{name}=kill" + (f"@{time}" if time else "") if name else ""
    command = (str(VICTIM), str(hours), order, "serve", "--config", str(config))
    return Process(*command, port=port, cwd=config.parent)


async def dead(process: Process, point: str) -> None:
    """It was this point, and nothing else, that ended it."""
    assert await process.ended() == KILLED, process.errors()
    assert f"failpoint {named(point)}: kill" in process.errors()
    group = named(point).partition(".")[0]
    add(
        "kills at failpoints",
        by="pytest -m slow tests/e2e",
        operations={"kills": 1},
        faults={f"at {group}": 1},
    )


class Story:
    """`more` is TOML behind the upstream's table, and `top` before it."""

    def __init__(
        self,
        folder: Path,
        store: str,
        upstream: str,
        *,
        top: str = "",
        timeout: str = "30s",
        more: str = "",
        **client: Any,
    ) -> None:
        self.port, self.folder = free_port(), folder
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = caller(timeout=30, **client)
        self.config = folder / "restante.toml"
        self.config.write_text(
            f"""
            listen = "127.0.0.1:{self.port}"
            store = "{store}"
            events_url = "{self.url}"
            {top}
            [upstream]
            url = "{upstream}"
            timeout = "{timeout}"
            retry = {{ attempts = 3, backoff = "10ms" }}
            {more}
            """
        )

    async def __aenter__(self) -> "Story":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    # -- processes

    @asynccontextmanager
    async def running(self, *, hours: int = 0) -> AsyncIterator[Process]:
        """A process that nothing happens to until the end, where it is killed. Its clock is so far ahead."""
        process = victim("", self.config, port=self.port, hours=hours)
        try:
            yield await process.ready()
        finally:
            await process.kill()

    @asynccontextmanager
    async def dying(self, point: str) -> AsyncIterator[Process]:
        """One that dies at this point because of what is done meanwhile."""
        process = victim(point, self.config, port=self.port)
        try:
            yield await process.ready()
            await dead(process, point)
        finally:
            await process.kill()

    async def dies(self, point: str, *, hours: int = 0) -> None:
        """One that dies at this point because of what it finds."""
        process = victim(point, self.config, port=self.port, hours=hours)
        try:
            await dead(process, point)
        finally:
            await process.kill()

    # -- what callers do

    async def call(self, method: str, path: str, said: Any = None, **headers: str) -> httpx.Response | None:
        """The answer; None where the process died before it gave one."""
        how: dict[str, Any] = {"content": said} if isinstance(said, bytes) else {"json": said}
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.suppress(httpx.TransportError):
            return await self.client.request(method, self.url + path, headers=fields, **how)
        return None

    async def done(self, method: str, path: str, said: Any = None, **headers: str) -> dict[str, Any]:
        """The answer of a process that lives."""
        answer = await self.call(method, path, said, **headers)
        assert answer is not None
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def accepted(self, path: str, said: Any = None, *, method: str = "POST", **headers: str) -> str:
        """The id of what a process that lives has accepted below /async."""
        id: str = (await self.done(method, f"/async{path}", said, **headers))["request_id"]
        return id

    async def all(self) -> list[dict[str, Any]]:
        """All transactions with their events, the newest first."""
        listed = (await self.done("GET", "/-/transactions"))["transactions"]
        return [await self.done("GET", f"/-/transactions/{one['id']}") for one in listed]

    async def one(self) -> dict[str, Any]:
        """The only one."""
        (found,) = await self.all()
        return found

    async def ended(self, id: str = "") -> dict[str, Any]:
        """It, or the only one, once it has ended. Its log has no gap."""
        found = await settled(self.client, self.url, id or (await self.one())["id"])
        assert sequences(found) == list(range(1, len(found["events"]) + 1))
        return found

    async def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The only one, once that is so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not fits(found := await self.one()):
                await asyncio.sleep(PAUSE_SECONDS)
        return found

    async def result(self, id: str) -> httpx.Response:
        return await self.client.get(f"{self.url}/async/result/{id}")


def sequences(found: dict[str, Any]) -> list[int]:
    return [event["sequence"] for event in found["events"]]


def messages(found: dict[str, Any]) -> list[str]:
    return [event["message"] for event in found["events"]]


def code(answered: httpx.Response | None) -> int | None:
    return None if answered is None else answered.status_code
