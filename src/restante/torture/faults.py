"""What is done to them, at moments drawn from the seed: to the servers, and to all that is around them.

Several loops: some have a server killed, stopped, restarted, or replaced by another version of itself; one
hits the store, the upstream, the receivers or the clock. Each deals its kinds from a deck, so that every kind
comes before any comes again.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from .journal import CLOCK, Hit, Journal
from .places import Place
from .plan import Plan
from .receivers import Receivers
from .servers import Died, Server
from .upstream import Ledger

KILL, STOP, FREEZE, RESTART = "kill -9", "stopped", "stopped beyond the lease", "restarted"
CHANGE = "replaced by another version"
UPSTREAM_AWAY, UPSTREAM_HANGS, LOOKUPS_FAIL = "upstream away", "upstream hangs", "look-ups fail"
RECEIVERS_FAIL, RECEIVERS_HANG = "receivers fail", "receivers hang"

AWAY_SECONDS = (0.0, 1.5)
STOP_SECONDS = (0.3, 2.0)
AROUND_SECONDS = (0.5, 2.5)
LOOKUPS_TIMES = 2.0
"""Look-ups are few, so this takes so many times as long."""

JUMP_SECONDS = (-4.0, 4.0)


class Faults:
    """`run` goes on until `stop`; `end` leaves everything in order.

    `after_kill` is called between a kill and the start that follows: what a power cut takes away. `clock` is
    a file of which the servers' program reads by how many seconds its clock is off."""

    def __init__(
        self,
        plan: Plan,
        *,
        servers: list[Server],
        place: Place,
        ledger: Ledger,
        receivers: Receivers,
        journal: Journal,
        after_kill: Callable[[], object] = lambda: None,
        clock: Path | None = None,
    ) -> None:
        self._plan = plan
        self._servers = servers
        self._place = place
        self._ledger = ledger
        self._receivers = receivers
        self._journal = journal
        self._after_kill = after_kill
        self._clock = clock
        self._stopped = asyncio.Event()
        self._store = asyncio.Lock()  # nobody is started while the store is hit: he would refuse, and end

    @property
    def kinds(self) -> dict[str, list[str]]:
        """What each loop deals. A server alone has nobody who would take it for dead."""
        others = self._plan.nodes > 1 and self._plan.seconds > 2 * self._plan.frozen
        versions = any(server.versions > 1 for server in self._servers)
        around = [UPSTREAM_AWAY, UPSTREAM_HANGS, LOOKUPS_FAIL, RECEIVERS_FAIL, RECEIVERS_HANG]
        around += self._place.kinds
        decks = {
            "servers": [KILL, STOP, RESTART],
            "versions": [CHANGE] if versions else [],
            "asleep": [FREEZE] if others else [],
            "around": around if self._clock is None else [*around, CLOCK],
        }
        only = self._plan.only
        return {name: [kind for kind in deck if not only or kind in only] for name, deck in decks.items()}

    async def run(self) -> None:
        """All loops, until `stop`, and then to the end of what they are at. Raises `Died`."""
        await asyncio.gather(
            *[
                self._deal(name, kinds, self._hit_around if name == "around" else self._hit_server)
                for name, kinds in self.kinds.items()
            ]
        )

    def stop(self) -> None:
        self._stopped.set()

    async def end(self) -> None:
        """Everything is up again, and well."""
        self._ledger.calm = self._receivers.calm = True
        for server in self._servers:
            if not server.up:
                await server.start()

    async def _deal(
        self, name: str, kinds: Sequence[str], hit: Callable[[str, random.Random], Awaitable[None]]
    ) -> None:
        if not kinds:
            return
        chance = random.Random(f"{self._plan.seed} {name}")
        deck: list[str] = []
        while not await self._over_in(chance.uniform(*self._plan.pause)):
            if not deck:
                deck = [*kinds]
                chance.shuffle(deck)
            await hit(deck.pop(), chance)

    async def _over_in(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return False
        return True

    # -- servers

    async def _hit_server(self, kind: str, chance: random.Random) -> None:
        free = [one for one in self._servers if not one.busy.locked()]
        server = chance.choice(free or self._servers)
        async with server.busy:
            at = time.time()
            await self._hit(server, kind, chance)
            self._note(kind, at, node=server.number)

    async def _hit(self, server: Server, kind: str, chance: random.Random) -> None:
        match kind:
            case "kill -9":
                async with self._store:
                    await server.kill()
                    self._after_kill()
                    await asyncio.sleep(chance.uniform(*AWAY_SECONDS))
                    await server.start()
            case "restarted" | "replaced by another version":
                async with self._store:
                    if code := await server.terminate():
                        raise Died(f"server {server.number} ended with {code} when it was asked to end")
                    if kind == CHANGE:
                        server.change_version(back=self._place.shared)  # a file refuses what is older
                    await server.start()
            case _:
                least, most = STOP_SECONDS
                server.stop()
                try:
                    await asyncio.sleep(self._plan.frozen if kind == FREEZE else chance.uniform(least, most))
                finally:
                    server.go_on()

    # -- all else

    async def _hit_around(self, kind: str, chance: random.Random) -> None:
        at = time.time()
        amount = 0.0
        seconds = chance.uniform(*AROUND_SECONDS)
        match kind:
            case "upstream away":
                await self._ledger.site.close()
                await asyncio.sleep(seconds)
                await self._ledger.site.open()
            case "upstream hangs":
                self._ledger.hanging.clear()
                await asyncio.sleep(seconds)
                self._ledger.hanging.set()
            case "look-ups fail":
                self._ledger.denying = True
                await asyncio.sleep(LOOKUPS_TIMES * seconds)
                self._ledger.denying = False
            case "receivers fail":
                self._receivers.failing = True
                await asyncio.sleep(seconds)
                self._receivers.failing = False
            case "receivers hang":
                self._receivers.hanging = True
                await asyncio.sleep(seconds)
                self._receivers.hanging = False
            case "clock jumps":
                amount = chance.uniform(*JUMP_SECONDS)
                self._jump(amount)
            case _:
                async with self._struck(kind) as amount:
                    await asyncio.sleep(seconds)
        self._note(kind, at, amount=amount)

    @asynccontextmanager
    async def _struck(self, kind: str) -> AsyncIterator[float]:
        async with self._store:
            pids = [pid for server in self._servers if server.up for pid in server.pids]
            async with self._place.hit(kind, pids) as amount:
                yield amount

    def _jump(self, amount: float) -> None:
        """By so much the servers' clocks are off from now on, all of them."""
        assert self._clock is not None
        before = self._clock.with_suffix(".new")
        before.write_text(f"{amount}\n")
        before.replace(self._clock)

    def _note(self, kind: str, at: float, *, node: int | None = None, amount: float = 0.0) -> None:
        self._journal.note(Hit(at=at, until=time.time(), kind=kind, node=node, amount=amount))
