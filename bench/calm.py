"""Whole lives at a steady rate, as callers live them: most wait for their result, some poll, some watch the
stream, some send their submit twice under one idempotency key.

A life is timed from the moment at which it was to begin, so that whatever makes callers wait is seen, and
not left out because nobody asked meanwhile.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

import msgspec

from restante.cli.load import Broken, Client, Clients, Target, ended, id_of

CONNECTIONS = 64
"""Of who measures the peak."""

MOST_CONNECTIONS = 256
"""At a steady rate; a life takes whichever was free for longest, so that none is idle for long. What is to
begin when there is none waits, and its time runs."""

TICK_SECONDS = 0.005
"""So much too early a life may begin; it costs too much to wait for each by itself."""

POLL_SECONDS = 0.01

WAYS = {"waits": 80, "polls": 15, "watches": 5}
TWICE = 0.1
"""The part that is submitted twice."""


class Calm:
    """`accepts` and `lives` are durations in seconds, and are taken away by whoever reads them."""

    def __init__(self, target: Target, *, seed: int) -> None:
        self._target = target
        self._chance = random.Random(seed)
        self._seed = seed
        self._number = 0
        self.accepts: list[float] = []
        self.lives: list[float] = []
        self.done: Counter[str] = Counter()
        """What was done, and under `wrong: …` what ought not to happen."""

    @property
    def wrong(self) -> int:
        return sum(count for what, count in self.done.items() if what.startswith("wrong"))

    async def peak(self, seconds: float, *, ended: asyncio.Event, free: asyncio.Event) -> None:
        """As many as there are from clients that do nothing else while they are free to, for so long or until
        it has ended."""
        begun = time.perf_counter()

        async def work(client: Client) -> None:
            while time.perf_counter() - begun < seconds and not ended.is_set():
                await free.wait()
                await self._live(client, time.perf_counter())

        async with Clients(self._target, CONNECTIONS) as clients:
            await asyncio.gather(*map(work, clients.all))

    async def steady(self, rate: float, ended: asyncio.Event) -> None:
        """So many lives begin each second, until it has ended, and then to the end of the last one."""
        async with Clients(self._target, MOST_CONNECTIONS) as clients, asyncio.TaskGroup() as lives:
            free = asyncio.Queue[Client]()
            for client in clients.all:
                free.put_nowait(client)
            for at in moments(rate, time.perf_counter()):
                if (early := at - time.perf_counter()) > TICK_SECONDS:
                    await asyncio.sleep(early)
                if ended.is_set():
                    return
                lives.create_task(self._lent(free, await free.get(), at))

    async def _lent(self, free: asyncio.Queue[Client], client: Client, at: float) -> None:
        await self._live(client, at)
        free.put_nowait(client)

    async def _live(self, client: Client, at: float) -> None:
        try:
            await self._whole(client, at)
        except (Broken, TimeoutError) as error:
            self.done[f"wrong: {type(error).__name__}"] += 1
            raise

    async def _whole(self, client: Client, at: float) -> None:
        target = self._target
        self._number += 1
        twice = self._chance.random() < TWICE
        if twice:
            key = f"Idempotency-Key: soak-{self._seed}-{self._number}"
            target = msgspec.structs.replace(target, headers=(*target.headers, key))
        submit = target.submit()
        answer = await client.ask(submit)
        if not 200 <= answer.code < 300:
            self.done[f"wrong: submit answered {answer.code}"] += 1
            return
        self.accepts.append(time.perf_counter() - at)
        id = id_of(answer)
        self.done["submits"] += 1
        if twice:
            self.done["submits again"] += 1
            if id_of(await client.ask(submit)) != id:
                self.done["wrong: a second transaction"] += 1
        (way,) = self._chance.choices(list(WAYS), list(WAYS.values()))
        await getattr(self, f"_{way}")(client, id)
        result = await ended(client, self._target, id)
        self.lives.append(time.perf_counter() - at)
        self.done["results"] += 1
        if result.code != 200:
            self.done[f"wrong: result {result.code}"] += 1

    async def _waits(self, client: Client, id: str) -> None: ...

    async def _polls(self, client: Client, id: str) -> None:
        """Until it is said to have ended."""
        while b"processing" in (await client.ask(self._target.request("GET", f"/async/status/{id}"))).body:
            self.done["polls"] += 1
            await asyncio.sleep(POLL_SECONDS)
        self.done["polls"] += 1

    async def _watches(self, client: Client, id: str) -> None:
        """To the last event."""
        path = f"/-/transactions/{id}/events"
        answer = await client.ask(self._target.request("GET", path, b"", "Accept: text/event-stream"))
        self.done["streams"] += 1
        if b'"completed"' not in answer.body:
            self.done["wrong: a stream without its end"] += 1


def moments(rate: float, begin: float) -> Iterator[float]:
    """Evenly, for ever."""
    number = 0
    while True:
        yield begin + number / rate
        number += 1
