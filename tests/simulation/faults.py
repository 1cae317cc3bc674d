"""What is done to the server and to all that is around it, at moments drawn from the seed; each is noted."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from restante.torture.journal import CLOCK, Hit, Journal
from restante.torture.receivers import Receivers
from restante.torture.upstream import Ledger

from .loop import VirtualLoop
from .network import Network
from .node import Node
from .plan import LONG, Course, Stretch

AWAY_SECONDS = (0.0, 40.0)
STOP_SECONDS = (0.3, 8.0)
BEYOND_SECONDS = (0.5, 20.0)
AROUND_SECONDS = (0.5, 60.0)
JUMP_SECONDS = (-90.0, 90.0)
SOON_SECONDS = 30.0
STEPS = 400
NOTICED_SECONDS = 75.0
"""By then all alarms have looked at a clock that was set (`outbound.clock`), and the sweeper has been."""

AMID = 0.8
"""Of all faults so many come while there is work; the others come to servers that rest."""

AFTER_SECONDS = 5.0
SLOW = (20.0, 400.0)
LASTING = 1200
"""How many times as long faults go on in stretches of long ones: minutes to most of a day."""

LASTING_DISK = 30
"""Whoever waits for a disk asks it every second: that is much to simulate for a day."""


class Faults:
    """`run` until it is cancelled; `end` leaves everything in order."""

    def __init__(
        self,
        course: Course,
        *,
        loop: VirtualLoop,
        network: Network,
        nodes: list[Node],
        ledger: Ledger,
        receivers: Receivers,
        journal: Journal,
    ) -> None:
        self._course = course
        self._loop = loop
        self._network = network
        self._nodes = nodes
        self._node = nodes[0]  # whom it hits
        self._ledger = ledger
        self._receivers = receivers
        self._journal = journal
        self._chance = random.Random(f"{course.seed} faults")
        self._stopped = True
        self._stopping = asyncio.Event()
        self._lasting = 1
        self._begun = asyncio.Event()
        self._kinds: dict[str, Callable[[], Awaitable[float | None]]] = {
            "kill -9": self._kill,
            "killed before a commit": self._kill_before,
            "killed after a commit": self._kill_after,
            "killed at a step": self._kill_at_a_step,
            "stopped": self._stop,
            "stopped beyond the lease": self._stop_long,
            "restarted": self._restart,
            CLOCK: self._jump,
            "disk fails": self._fail,
            "disk is slow": self._slow_disk,
            "network is slow": self._slow_network,
            "network is cut": self._cut,
            "upstream away": self._leave,
            "upstream hangs": self._hang,
            "receivers fail": self._refuse,
        }

    async def run(self, stretch: Stretch) -> None:
        """One after the other, until `stop`."""
        drawn = {
            kind: weight for kind, weight in self._course.faults.items() if kind in LONG or not stretch.long
        }
        kinds, weights = list(drawn), list(drawn.values())
        self._stopped, self._lasting = False, LASTING if stretch.long else 1
        self._stopping.clear()
        while not self._stopped:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._chance.expovariate(1 / stretch.between)):
                    await self._stopping.wait()
            if not self._stopped and not stretch.long and self._chance.random() < AMID:
                self._begun.clear()
                await self._begun.wait()
                await self._pause((0.0, self._course.within + AFTER_SECONDS))
            if self._stopped:
                return
            self._node = self._chance.choice(self._nodes)
            (kind,) = self._chance.choices(kinds, weights)
            at = self._journal.now()
            self._loop.trace.tell(self._loop.time(), "fault", kind)
            amount = await self._kinds[kind]()
            if amount is not None:
                hit = Hit(at=at, until=self._journal.now(), kind=kind, node=self._node.number, amount=amount)
                self._journal.note(hit)

    def begun(self) -> None:
        """Operations begin just now."""
        self._begun.set()

    def stop(self) -> None:
        self._stopped = True
        self._stopping.set()
        self._begun.set()

    async def end(self) -> None:
        """The server is up, and its clock is right."""
        now = self._journal.now()
        skewed = any(node.skew for node in self._nodes)
        self._journal.note(Hit(at=now, until=now, kind=CLOCK, amount=self._set_clock(0.0)))
        for node in self._nodes:
            if not node.up:
                await node.start()
        if skewed:
            await asyncio.sleep(NOTICED_SECONDS)

    async def _pause(self, spans: tuple[float, float], *, most: int = LASTING) -> None:
        await asyncio.sleep(min(self._lasting, most) * self._chance.uniform(*spans))

    # -- the server

    async def _kill(self) -> float:
        self._node.kill()
        return await self._start_again()

    async def _start_again(self) -> float:
        if self._chance.random() < 0.5:
            await self._pause(AWAY_SECONDS)
        await self._node.start()
        if not self._node.up:  # killed once more
            await self._node.start()
        return 0.0

    async def _soon(self) -> float | None:
        """Until the server is gone; not at all, where it has nothing to do for long."""
        process = self._node.process
        assert process is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(SOON_SECONDS):
                while process.alive:
                    await asyncio.sleep(0.02)
        self._node.disk.before = self._node.disk.after = process.steps_left = None
        return None if process.alive else await self._start_again()

    async def _kill_before(self) -> float | None:
        self._node.disk.before = self._node.kill
        return await self._soon()

    async def _kill_after(self) -> float | None:
        self._node.disk.after = self._node.kill
        return await self._soon()

    async def _kill_at_a_step(self) -> float | None:
        process = self._node.process
        assert process is not None
        process.steps_left = self._chance.randint(1, STEPS)
        return await self._soon()

    async def _stop(self) -> float:
        return await self._stop_for(STOP_SECONDS)

    async def _stop_long(self) -> float:
        lease = self._course.plan.lease
        return await self._stop_for((lease + BEYOND_SECONDS[0], lease + BEYOND_SECONDS[1]))

    async def _stop_for(self, spans: tuple[float, float]) -> float:
        process = self._node.process
        assert process is not None
        process.stop()
        await self._pause(spans)
        process.go_on()
        return 0.0

    async def _restart(self) -> float:
        await self._node.terminate()
        return await self._start_again()

    async def _jump(self) -> float:
        """The servers' clock is set, which is one for all: by how much it is off from now on. (Leases are on
        one clock, a database's, and that is theirs here.)"""
        return self._set_clock(self._chance.uniform(*JUMP_SECONDS))

    def _set_clock(self, skew: float) -> float:
        for node in self._nodes:
            node.skew = skew
        return skew

    # -- around it

    async def _fail(self) -> float:
        for node in self._nodes:
            node.disk.failing = True
        await self._pause(AROUND_SECONDS, most=LASTING_DISK)
        for node in self._nodes:
            node.disk.failing = False
        return 0.0

    async def _slow_disk(self) -> float:
        node = self._node
        node.disk.slow = self._chance.uniform(*SLOW)
        await self._pause(AROUND_SECONDS)
        node.disk.slow = 1.0
        return 0.0

    async def _slow_network(self) -> float:
        self._network.slow = self._chance.uniform(*SLOW)
        await self._pause(AROUND_SECONDS)
        self._network.slow = 1.0
        return 0.0

    async def _cut(self) -> float:
        """Between one of them and all others nothing arrives, and then all of it."""
        process = self._node.process
        assert process is not None
        name = self._chance.choice((process.name, "clients", "upstream", "receivers"))
        span = self._chance.uniform(*AROUND_SECONDS)
        self._network.held[name] = self._loop.time() + span
        await asyncio.sleep(span)
        return 0.0

    async def _leave(self) -> float:
        await self._ledger.site.close()
        await self._pause(AROUND_SECONDS)
        await self._ledger.site.open()
        return 0.0

    async def _hang(self) -> float:
        self._ledger.hanging.clear()
        await self._pause(AROUND_SECONDS)
        self._ledger.hanging.set()
        return 0.0

    async def _refuse(self) -> float:
        self._receivers.failing = True
        await self._pause(AROUND_SECONDS)
        self._receivers.failing = False
        return 0.0
