"""The primary dies under load and its standby takes over: what was answered with 202 is there, run once.

With a synchronous standby nothing is lost, whatever it has not been sent yet; with an asynchronous one, which
is the control, the same procedure must be seen to lose something.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from ..postgres import STANDBY, Server
from .harness import Process, RecordingUpstream, caller, serving

pytestmark = pytest.mark.all

CLIENTS = 12
PATIENCE_SECONDS = 60
ENDED = ("completed", "failed", "cancelled")


class Pair:
    """A primary and its standby, and the URL that leads to whichever takes writes."""

    def __init__(self, primary: Server, standby: Server, database: str) -> None:
        self.primary, self.standby = primary, standby
        self.url = database.replace(str(primary.folder), f"{primary.folder},{standby.folder}")
        self.url += "&target_session_attrs=read-write"

    @classmethod
    @asynccontextmanager
    async def started(cls, *, synchronous: bool) -> AsyncIterator["Pair"]:
        servers = [Server(fsync=True, full_page_writes="on")]
        try:
            database = await servers[0].database()
            servers.append(Server(fsync=True, full_page_writes="on", primary=servers[0]))
            pair = cls(*servers, database)
            if synchronous:  # set after the copy was made: the standby will wait for nobody
                await pair.primary.run(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
                await pair.primary.run("SELECT pg_reload_conf()")
            await pair.until("sync" if synchronous else "async")
            yield pair
        finally:
            for server in servers:
                server.close()

    async def until(self, state: str) -> None:
        """The standby is connected and waited for, or not."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._senders(f"state = 'streaming' AND sync_state = '{state}'"):
                await asyncio.sleep(0.02)

    async def freeze(self) -> None:
        """From now on nothing reaches the standby any more; the primary does not notice."""
        (sender,) = await self._senders("true")
        os.kill(sender, signal.SIGSTOP)

    async def waiting(self) -> int:
        """How many commits wait for the standby."""
        (row,) = await self._rows("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        return int(row[0])

    async def _senders(self, condition: str) -> list[int]:
        return [pid for (pid,) in await self._rows(f"SELECT pid FROM pg_stat_replication WHERE {condition}")]

    async def _rows(self, text: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.primary.url("postgres"))
        try:
            return list(await connection.fetch(text))
        finally:
            await connection.close()


class Load:
    """Clients that submit one after the other until told to stop, and note what they were told."""

    def __init__(self, gateways: list[Process], client: httpx.AsyncClient) -> None:
        self.accepted: dict[str, str] = {}  # id, path
        self.told = [0] * CLIENTS  # answers that each had
        self.away = 0
        self.others: list[str] = []
        self._gateways, self._client = gateways, client
        self._number = 0
        self._stopped = False
        self._tasks = [asyncio.create_task(self._submit(place)) for place in range(CLIENTS)]

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def more(self, count: int) -> None:
        """Until so many more were accepted."""
        wanted = len(self.accepted) + count
        await self.until(lambda: len(self.accepted) >= wanted)

    async def until(self, fits: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not fits():
                await asyncio.sleep(0.01)

    async def everybody_told(self) -> None:
        """Until each client has had another answer."""
        before = list(self.told)
        await self.until(lambda: all(now > then for now, then in zip(self.told, before, strict=True)))

    async def standstill(self, pair: Pair) -> int:
        """Until each gateway waits for the standby, and none is accepted between two looks; how many are."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                before, waiting = len(self.accepted), await pair.waiting()
                await asyncio.sleep(0.05)
                if waiting >= len(self._gateways) and len(self.accepted) == before:
                    return before

    async def _submit(self, place: int) -> None:
        gateway = self._gateways[place % len(self._gateways)]
        while not self._stopped:
            self._number += 1
            path = f"/orders/{self._number}"
            answer = await self._client.post(f"{gateway.url}/async{path}", json={})
            self.told[place] += 1
            if answer.status_code == 202:
                self.accepted[answer.json()["request_id"]] = path
            elif answer.status_code == 503 and answer.headers["retry-after"].isdigit():
                self.away += 1
                await asyncio.sleep(0.02)
            else:
                self.others.append(f"{answer.status_code} {answer.text}")


End = tuple[str, str]
"""Status and outcome."""


async def known(client: httpx.AsyncClient, gateway: Process, ids: list[str]) -> dict[str, End]:
    """How those stand that are there at all. A gateway may take a moment longer to be back than another."""
    found = {}
    async with asyncio.timeout(PATIENCE_SECONDS):
        for id in ids:
            while (answer := await client.get(f"{gateway.url}/-/transactions/{id}")).status_code == 503:
                await asyncio.sleep(0.05)
            assert answer.status_code in (200, 404)
            if answer.status_code == 200:
                found[id] = (answer.json()["status"], answer.json()["outcome"])
    return found


async def ended(client: httpx.AsyncClient, gateway: Process, ids: list[str]) -> dict[str, End]:
    """How each ended. All of them must be there."""
    found: dict[str, End] = {}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while left := [id for id in ids if id not in found]:
            standing = await known(client, gateway, left)
            assert set(standing) == set(left)
            found.update({id: end for id, end in standing.items() if end[0] in ENDED})
            await asyncio.sleep(0.05)
    return found


@pytest.mark.parametrize(
    ("synchronous", "frozen"),
    [(True, False), (True, True), (False, True)],
    ids=["synchronous", "synchronous and behind", "asynchronous and behind"],
)
async def test_what_was_accepted_outlives_the_primary_with_a_synchronous_standby_only(
    synchronous: bool, frozen: bool, tmp_path: Path
) -> None:
    async with (
        Pair.started(synchronous=synchronous) as pair,
        RecordingUpstream() as upstream,
        caller(timeout=40, limits=httpx.Limits(max_connections=50)) as client,
    ):
        gateways = [serving(upstream.url, tmp_path, "--store", pair.url) for _ in range(2)]
        try:
            for gateway in gateways:
                await gateway.ready()
            load = Load(gateways, client)
            await load.more(200)
            if frozen:
                await pair.freeze()
                if synchronous:
                    stuck = await load.standstill(pair)
                    await load.everybody_told()  # also those whose commits were given up
                    assert len(load.accepted) == stuck  # nobody is told what only the primary has
                else:
                    await load.more(100)
            pair.primary.kill()
            await load.until(lambda: load.away >= CLIENTS)
            await pair.standby.run("SELECT pg_promote()")
            await load.more(200)
            await load.stop()
            assert load.others == []
            ids = list(load.accepted)
            if not synchronous:
                left = list(await known(client, gateways[0], ids))
                assert len(left) <= len(ids) - (100 - CLIENTS)
                await ended(client, gateways[0], left)  # also what the standby has not heard the end of
                return
            found = await ended(client, gateways[0], ids)
            calls = Counter(call.target for call in upstream.calls)
            assert set(calls.values()) == {1}  # nobody's work is done twice
            for id, end in found.items():
                assert end in (("completed", "answered"), ("failed", "interrupted"))
                assert calls[load.accepted[id]] == 1 or end == ("failed", "interrupted")
            assert "Traceback" not in gateways[0].errors() + gateways[1].errors()
        finally:
            for gateway in gateways:
                await gateway.kill()
