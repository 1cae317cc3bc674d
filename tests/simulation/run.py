"""One seed, from an empty file to the laws: what it was, what came of it, the hash of all that happened."""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from restante.core.access import Scope
from restante.outbound import HTTPSender
from restante.ports import Store
from restante.service.keys import Keys
from restante.torture.audit import Audit, Overdue
from restante.torture.caller import Caller
from restante.torture.clients import Clients
from restante.torture.history import History
from restante.torture.journal import Endpoint, Journal, Submit
from restante.torture.knowing import SWEPT_SECONDS
from restante.torture.laws import Finding, check
from restante.torture.plan import TENANTS
from restante.torture.receivers import Receivers
from restante.torture.upstream import LATER, Ledger

from .alone import Ear, alone
from .faults import Faults
from .loop import EPOCH, Process, VirtualLoop
from .network import Network
from .node import Chance, Clock, Node
from .plan import HOUR, Course, Stretch, settings_for
from .shared import File
from .trace import Trace

LONGEST_HOURS = 24.0
"""So long after the last burst all operations are over."""

SHM = Path("/dev/shm")
"""A disk in memory, where there is one: what a crash leaves is decided here, not by the disk."""


UNHEARD = "unheard"
NOTHING = "nothing was done that a law could be held against"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`trouble` ended it; `unheard` was raised where nobody caught it. `seconds` of computing are the only
    thing here that another run has otherwise."""

    seed: str
    hash: str
    hours: float
    seconds: float
    steps: int
    commits: int
    lives: int
    longest: float  # seconds from a transaction's first event to its last, of those that nobody defers
    counts: dict[str, int]
    faults: dict[str, int]
    findings: tuple[Finding, ...]
    trouble: str | None
    unheard: tuple[str, ...]

    @property
    def violated(self) -> list[str]:
        """What is wrong, in sentences."""
        wrong = [f"{one.law}: {example}" for one in self.findings for example in one.examples]
        ended = self.trouble or ("" if any(self.checked.values()) else NOTHING)
        return [*([ended] if ended else []), *wrong, *self.unheard]

    @property
    def checked(self) -> dict[str, int]:
        """By law, how often it could be held against something."""
        return {one.law: one.checked for one in self.findings}

    @property
    def laws(self) -> set[str]:
        """That are violated; UNHEARD where somebody raised what nobody expected."""
        return {one.law for one in self.findings if one.violated} | ({UNHEARD} if self.unheard else set())


def simulate(course: Course, *, say: Callable[[str], object] | None = None) -> Outcome:
    """Runs it. `say` is given each line of the trace."""
    began = time.process_time()
    with alone() as ear, tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        outcome = _simulated(course, f"{folder}/simulated.db", say, ear)
    return msgspec.structs.replace(outcome, seconds=time.process_time() - began)


def _simulated(course: Course, path: str, say: Callable[[str], object] | None, ear: Ear) -> Outcome:
    loop = ear.loop = VirtualLoop(course.seed, Trace(say))
    network = loop.network = Network(loop, course.seed)
    simulation = _Simulation(course, loop, network, path)
    try:
        trouble = loop.run_until_complete(loop.outside.run(simulation.whole()))
    finally:
        for node in simulation.nodes:
            node.kill()
        network.close()
    return simulation.outcome(trouble)


class _Simulation:
    def __init__(self, course: Course, loop: VirtualLoop, network: Network, path: str) -> None:
        plan = course.plan
        self._course = course
        self._loop = loop
        self._network = network
        self.journals = {
            name: Journal(None, now=lambda: EPOCH + loop.time())
            for name in ("clients", "upstream", "receivers", "faults", "servers")
        }
        self._upstream, self._receiving, self._calling, self._faulting = (
            Process(loop, name) for name in ("upstream", "receivers", "clients", "faults")
        )
        self._ledger = Ledger(
            self.journals["upstream"],
            seed=plan.seed,
            timeout_seconds=plan.timeout,
            latency_seconds=plan.latency,
            sender=HTTPSender(now=loop.time),
        )
        self._receivers = Receivers(
            self.journals["receivers"],
            chance=random.Random(f"{course.seed} receivers"),
            timeout_seconds=plan.webhook_timeout,
        )
        self._file = File(loop, course.seed, path, several=plan.nodes > 1)
        port = network.port()
        self._ledger.site.port = port
        ports = [network.port() for _ in range(plan.nodes)]
        settings = settings_for(course, upstream=self._ledger.site.url, events=ports[0])
        self.nodes = [
            Node(loop, network, self._file, settings, seed=course.seed, number=number, port=port)
            for number, port in enumerate(ports)
        ]
        self._caller = Caller(self.nodes, sender=HTTPSender(now=loop.time), now=self.journals["clients"].now)
        self._clients = Clients(plan, self._caller, self.journals["clients"])
        self._audit = Audit(plan, self._caller, self.journals["servers"])
        self._receivers.secrets = self._audit.secrets
        self._faults = Faults(
            course,
            loop=loop,
            network=network,
            nodes=self.nodes,
            ledger=self._ledger,
            receivers=self._receivers,
            journal=self.journals["faults"],
        )
        self._bursts = random.Random(f"{course.seed} bursts")
        self._all_read = False

    async def whole(self) -> str | None:
        """What ended it, if anything did before its time."""
        course = self._course
        await self._upstream.run(self._ledger.site.open())
        await self._receiving.run(self._receivers.site.open())
        await self._loop.outside.run(self._make_keys())
        first, *others = self.nodes
        await first.start()
        await self._calling.run(self._audit.subscribe(self._receivers))
        for node in others:  # so that all know all endpoints from the beginning
            await node.start()
        longest = course.hours + LONGEST_HOURS * len(course.stretches)
        try:
            async with asyncio.timeout(longest * HOUR):
                for stretch in course.stretches:
                    await self._go_through(stretch)
            await self._calling.run(self._end())
        except Overdue as error:
            return str(error)
        return None

    @property
    def _endpoints(self) -> list[Endpoint]:
        return [one for one in self.journals["servers"].entries if isinstance(one, Endpoint)]

    async def _make_keys(self) -> None:
        """As an operator does, before there is a server."""
        node = self.nodes[0]
        node.disk.process = self._loop.outside
        store = await node.open("", limits=node.settings.policy.limits)
        keys = Keys(store=store, clock=Clock(self._loop, node), chance=Chance(self._course.seed))
        for tenant in TENANTS:
            _, self._caller.keys[tenant] = await keys.make(tenant=tenant, scopes=list(Scope), span=None)
        await self._close(store)

    async def _close(self, store: Store) -> None:
        await store.close()
        self._file.gone(self.nodes[0].disk)

    async def _go_through(self, stretch: Stretch) -> None:
        """Operations and faults, and at the end neither."""
        faulting = self._faulting.run(self._faults.run(stretch))
        await self._calling.run(self._call(stretch))
        self._faults.stop()
        await faulting
        await self._faulting.run(self._faults.end())
        if stretch.read:
            await self._calling.run(self._read())

    async def _call(self, stretch: Stretch) -> None:
        """Bursts of operations, and long rests."""
        course, chance = self._course, self._bursts
        end = self._loop.time() + stretch.hours * HOUR
        while stretch.rest is not None and (now := self._loop.time()) < end:
            self._faults.begun()
            for _ in range(chance.randint(1, course.burst)):
                self._loop.call_later(chance.uniform(0, course.within), self._clients.begin)
            await asyncio.sleep(min(chance.expovariate(1 / stretch.rest), end - now))
        await asyncio.sleep(end - self._loop.time())
        await asyncio.sleep(course.within)
        await self._clients.rest()

    async def _read(self) -> None:
        """All has to end; then all is read."""
        self._ledger.calm = self._receivers.calm = True
        await self._upstream.run(self._ledger.reports.tasks.drain())
        await self._audit.settle()
        await self._audit.deliver(self._endpoints)
        await self._audit.read(self._endpoints)
        self._ledger.calm = self._receivers.calm = False

    async def _end(self) -> None:
        """All is read, and what has expired or is forgotten is looked for."""
        self._clients.stop()
        await self._clients.tasks.drain()
        await self._read()
        self._ledger.calm = self._receivers.calm = True
        known = [one for one in self.journals["clients"].entries if isinstance(one, Submit)]
        await self._audit.look_again(known)
        await asyncio.sleep(SWEPT_SECONDS)
        for node in self.nodes:
            await node.terminate()
        await self._upstream.run(self._ledger.reports.close())
        await self._upstream.run(self._ledger.site.close())  # what it was still at, is noted now
        await self._receiving.run(self._receivers.site.close())
        ended = EPOCH + self._loop.time()
        self.nodes[0].disk.process = self._calling
        await self._audit.look_for_bytes("", ended=ended, opened=self.nodes[0].open)
        self._all_read = True

    def outcome(self, trouble: str | None) -> Outcome:
        history = History(entry for journal in self.journals.values() for entry in journal.entries)
        whole = [record for record in history.records.values() if record.kind != LATER]
        for entry in (one for journal in self.journals.values() for one in journal.entries):
            self._loop.trace.tell(0.0, "journal", "has", msgspec.json.encode(entry).decode())
        return Outcome(
            seed=self._course.seed,
            hash=self._loop.trace.hash,
            hours=self._loop.time() / HOUR,
            seconds=0.0,
            steps=self._loop.steps,
            commits=sum(node.disk.commits for node in self.nodes),
            lives=sum(node.lives for node in self.nodes),
            longest=max((one.events[-1].moment - one.created for one in whole), default=0.0),
            counts={
                "wake-ups lost": self._file.lost,
                "submits": len(history.submits),
                "transactions": len(history.records),
                "looks": len(history.looks) + len(history.foreign),
                "calls at the upstream": len(history.calls),
                "webhooks received": len(history.receipts),
                **self._network.counts,
            },
            faults=dict(Counter(hit.kind for hit in history.hits if hit.node is not None)),
            findings=tuple(check(history)) if self._all_read else (),
            trouble=trouble,
            unheard=tuple(self._loop.unheard),
        )
