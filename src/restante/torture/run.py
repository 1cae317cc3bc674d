"""One run: everything is set up, clients and faults go on for the plan's time, then all is read and
checked."""

import asyncio
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from .audit import Audit, Overdue
from .caller import Caller
from .clients import Clients
from .faults import Faults
from .history import History
from .journal import Endpoint, Hit, Journal, Record, Submit
from .laws import Finding, check
from .places import Place
from .plan import MASTER, TENANTS, Plan, settings_of
from .receivers import Receivers
from .servers import PROGRAM, SERVE, Died, Server
from .upstream import Ledger

JOURNALS = ("clients", "upstream", "receivers", "faults", "servers")
LINE_SECONDS = 10.0

LONGER = 3
"""So many times as long it may take until every kind of fault has struck and enough was accepted."""

MORE_SECONDS = 1.0

TRIES = 3
"""A database on a busy machine may not answer in time at first."""


class NotBegun(Exception):
    """It could not be set up, before anything was done to anyone."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to. `lacking` says why it proves nothing, where it does not; `trouble` is what ended
    it."""

    plan: Plan
    store: str
    how: str
    seconds: float
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    statuses: dict[str, int]
    faults: dict[str, int]
    trouble: str | None
    lacking: tuple[str, ...]
    folder: str

    @property
    def violated(self) -> bool:
        return self.trouble is not None or any(finding.violated for finding in self.findings)

    @property
    def verdict(self) -> str:
        if self.violated:
            return "violated"
        return "inconclusive" if self.lacking else "held"


async def torture(
    plan: Plan,
    place: Place,
    folder: Path,
    *,
    commands: Sequence[Sequence[str]] = (SERVE,),
    program: Sequence[str] = PROGRAM,
    after_kill: Callable[[], object] = lambda: None,
    clock: Path | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Outcome:
    """Tortures the servers that `commands` start (see `Server`) on a store at `place`; journals are kept in
    `folder`, which is there and empty. `program` is what keys are made with, before there is a server, so it
    is no newer than the first. `say` is told how it goes. Raises `NotBegun`."""
    began = time.time()
    with ExitStack() as stack:
        journals = {name: stack.enter_context(Journal(folder / f"{name}.jsonl")) for name in JOURNALS}
        run = _Run(plan, place, folder, commands, program, after_kill, clock, journals, say)
        trouble = await run.whole()
    history = History(entry for journal in journals.values() for entry in journal.entries)
    findings = tuple(check(history)) if run.all_read else ()
    faults = Counter(hit.kind for hit in history.hits)
    hits = {kind: faults[kind] for kind in sorted({*run.kinds, *faults})}
    accepted = len({submit.id for submit in history.submits if submit.id is not None})
    return Outcome(
        plan=plan,
        store=place.url.partition(":")[0],
        how=place.how,
        seconds=time.time() - began,
        findings=findings,
        counts={
            "submits": len(history.submits),
            "submits without an answer": sum(submit.code is None for submit in history.submits),
            "accepted": accepted,
            "answered at once": sum(submit.call is not None for submit in history.submits),
            "transactions": len(history.records),
            "looks": len(history.looks) + len(history.foreign),
            "calls at the upstream": len(history.calls),
            "look-ups at the upstream": sum(map(len, history.questions_of.values())),
            "reports of the upstream": sum(map(len, history.reports_of.values())),
            "live streams": len(history.streams),
            "webhooks received": len(history.receipts),
            "deliveries": len(history.deliveries),
        },
        statuses=dict(Counter(_end(record) for record in history.records.values()).most_common()),
        faults=hits,
        trouble=trouble,
        lacking=tuple(_lacking(plan, accepted, findings, hits)),
        folder=str(folder),
    )


def _end(record: Record) -> str:
    return record.status if record.outcome in (None, "answered") else f"{record.status}, {record.outcome}"


def _lacking(plan: Plan, accepted: int, findings: Sequence[Finding], hits: dict[str, int]) -> list[str]:
    """Why a run proves nothing."""
    few = [f"only {accepted} transactions were accepted, of {plan.least} at least"]
    return [
        *(few if accepted < plan.least else []),
        *(f"{one.law} could be held against nothing" for one in findings if not one.checked),
        *(f"no fault of this kind struck: {kind}" for kind, count in hits.items() if not count),
    ]


class _Run:
    def __init__(
        self,
        plan: Plan,
        place: Place,
        folder: Path,
        commands: Sequence[Sequence[str]],
        program: Sequence[str],
        after_kill: Callable[[], object],
        clock: Path | None,
        journals: dict[str, Journal],
        say: Callable[[str], object],
    ) -> None:
        config = folder / "restante.toml"
        chance = random.Random(plan.seed)
        self._plan = plan
        self._place = place
        self._journals = journals
        self._say = say
        self._config = config
        self._ledger = Ledger(
            journals["upstream"],
            seed=plan.seed,
            timeout_seconds=plan.timeout,
            latency_seconds=plan.latency,
        )
        self._receivers = Receivers(
            journals["receivers"], chance=chance, timeout_seconds=plan.webhook_timeout
        )
        self.all_read = False
        """Whether the servers have told all there is to tell; else no law can be held against anything."""
        self._program = program
        self._servers = [
            Server(number, config=config, commands=commands, role=role)
            for number, role in enumerate(plan.roles or [None] * plan.nodes)
        ]
        self._caller = Caller(self._servers[: plan.gateways])
        self._clients = Clients(plan, self._caller, journals["clients"])
        self._audit = Audit(plan, self._caller, journals["servers"])
        self._receivers.secrets = self._audit.secrets
        self._faults = Faults(
            plan,
            servers=self._servers,
            place=place,
            ledger=self._ledger,
            receivers=self._receivers,
            journal=journals["faults"],
            after_kill=after_kill,
            clock=clock,
        )

    @property
    def kinds(self) -> list[str]:
        return [kind for deck in self._faults.kinds.values() for kind in deck]

    async def whole(self) -> str | None:
        """From the first server's start to the last one's end; what ended it before that, if anything did."""
        try:
            try:
                await self._set_up()
            except Died as error:
                raise NotBegun(str(error)) from None
            await self._go_on()
            return await self._end()
        except (Died, Overdue) as error:
            return str(error)
        finally:
            await self._tear_down()

    async def _set_up(self) -> None:
        await self._ledger.site.open()
        await self._receivers.site.open()
        folder = self._config.parent
        master = folder / MASTER
        master.touch(mode=0o600)
        master.write_text(random.Random(self._plan.seed).randbytes(32).hex())
        self._config.write_text(
            settings_of(
                self._plan,
                store=self._place.url,
                upstream=self._ledger.site.url,
                events=f"http://127.0.0.1:{self._servers[0].port}",
                folder=folder,
            )
        )
        for tenant in TENANTS:
            self._caller.keys[tenant] = await asyncio.to_thread(self._make_key, tenant)
        first, *others = self._servers
        await first.start()
        # Before others are there, so that all know all endpoints from the beginning.
        await self._audit.subscribe(self._receivers)
        for server in others:
            await server.start()

    def _make_key(self, tenant: str) -> str:
        """As an operator does, before there is a server."""
        command = [*self._program, "keys", "create", "--json", "--tenant", tenant]
        command += ["--scopes", "submit,read,operate", "--config", str(self._config)]
        said = ""
        for _ in range(TRIES):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if not done.returncode:
                key: str = msgspec.json.decode(done.stdout)["key"]
                return key
            said = done.stderr.strip()
        raise NotBegun(f"no key could be made: {said}")

    async def _go_on(self) -> None:
        """Clients and faults, for the plan's time, and longer where not enough has happened by then; then the
        faults end, and what is under way goes on."""
        working = [asyncio.ensure_future(one) for one in (self._clients.run(), self._faults.run())]
        try:
            await self._strike(working)
        finally:  # where it is ended before its time, who is stopped goes on, and what is full is emptied
            for one in working:
                one.cancel()
            await asyncio.wait(working)
        await self._faults.end()
        self._say("no more faults: what is under way ends")
        await self._clients.tasks.drain()
        await self._ledger.reports.tasks.drain()

    async def _strike(self, working: "Sequence[asyncio.Future[None]]") -> None:
        began = time.monotonic()
        while (spent := time.monotonic() - began) < self._plan.seconds * (1 if self._enough() else LONGER):
            rest = self._plan.seconds - spent
            done, _ = await asyncio.wait(
                working,
                timeout=min(rest if rest > 0 else MORE_SECONDS, LINE_SECONDS),
                return_when=asyncio.FIRST_EXCEPTION,
            )
            for one in done:
                one.result()
            self._say(self._line(spent))
        self._faults.stop()
        self._clients.stop()
        await asyncio.gather(*working)

    async def _end(self) -> str | None:
        """Reads everything; what has not ended when it should have, if anything."""
        endpoints = [one for one in self._journals["servers"].entries if isinstance(one, Endpoint)]
        standing = await self._audit.standing(endpoints)
        overdue = None
        try:
            await self._audit.settle()
            await self._audit.deliver(standing)
        except Overdue as error:
            overdue = str(error)
        self._say("all has ended: the servers' logs are read")
        await self._audit.read(standing)
        known = [one for one in self._journals["clients"].entries if isinstance(one, Submit)]
        await self._audit.look_again(known)
        for server in self._servers:
            server.check()
            if code := await server.terminate():
                raise Died(f"server {server.number} ended with {code} when it was asked to end")
        if not self._place.shared:  # there they go with their hour
            await self._audit.look_for_bytes(self._place.url, ended=time.time())
        files = [server.log for server in self._servers]
        if self._plan.sealed and self._place.folder is not None:
            files.append(self._place.folder)
        await asyncio.to_thread(self._audit.look_for_the_planted, files)
        self.all_read = True
        gone = [one.receiver for one in endpoints if one not in standing]
        return f"the endpoints of {', '.join(gone)} are gone" if gone else overdue

    async def _tear_down(self) -> None:
        for server in self._servers:
            server.drop()
        await self._ledger.reports.close()
        await self._caller.close()
        await self._ledger.site.close()
        await self._receivers.site.close()

    def _enough(self) -> bool:
        return self._clients.accepted >= self._plan.least and self._hits().keys() >= {*self.kinds}

    def _hits(self) -> Counter[str]:
        return Counter(entry.kind for entry in self._journals["faults"].entries if isinstance(entry, Hit))

    def _line(self, spent: float) -> str:
        faults = ", ".join(f"{kind} ×{count}" for kind, count in self._hits().items()) or "none yet"
        return (
            f"{spent:4.0f} s  {self._clients.accepted} accepted, {self._clients.under_way} under way; "
            f"faults: {faults}"
        )
