"""The clients: each operation is one of them, from its submit until nobody cares any more.

What an operation does is drawn from the seed and its number: with which tenant and route, whether it has an
idempotency key and sends it again or several times at once, whether it waits for the answer at once, whether
it is polled or followed live, whether it is cancelled, how many readers race for its error and who of them
leaves, whether it is done again, and whether somebody else's key is tried on it. What comes of it depends on
the servers and the faults, so two runs with one seed are alike, not the same."""

import asyncio
import random
from datetime import datetime
from typing import Any

import msgspec

from .caller import Answer, Caller
from .journal import Act, AnyEntry, Journal, Look, Streamed, Submit, Told, digest, said
from .knowing import READ_OFTEN
from .plan import TENANTS, Plan
from .planted import WORD, planted
from .reporting import DEADLINE_SECONDS
from .tasks import Tasks
from .upstream import LATER

KINDS = {"once": 28, "again": 18, "asked": 12, "put": 10, "tickets": 14, LATER: 12, "prefer": 10}
PREFER = ("respond-async", "respond-async, wait=2")
PRIORITIES = (-5, 0, 5)
SIZES = {0: 15, 60: 50, 3_000: 25, 80_000: 8, 250_000: 2}
TRIES = 6
TRY_SECONDS = (0.1, 0.8)
ENDED = ("completed", "failed", "cancelled")
ACCEPTED = (200, 202)
WAIT = "wait=3"
CALL = "x-ledger-call"
TWICE = (("X-Twice", "b, c"), ("x-between", ""), ("X-Twice", "a"))
"""Fields that whoever sorts, joins or forgets some would change."""


class Clients:
    """`run` makes operations until `stop`; `tasks` are those under way."""

    def __init__(self, plan: Plan, caller: Caller, journal: Journal) -> None:
        self._plan = plan
        self._caller = caller
        self._journal = journal
        self._stopped = asyncio.Event()
        self.tasks = Tasks()
        self.made = 0
        self.accepted = 0
        self.late = 0

    async def run(self) -> None:
        """Begins operations at the plan's rate, unless too many are under way."""
        chance = random.Random(self._plan.seed)
        while not self._stopped.is_set():
            if self.under_way < self._plan.at_once:
                self.begin()
            await asyncio.sleep(chance.expovariate(self._plan.rate))

    def begin(self) -> None:
        """One more operation."""
        self.made += 1
        self.tasks.begin(self._live(self.made))

    def stop(self) -> None:
        """Nothing new is begun; whoever waits for something waits no longer than that takes."""
        self._stopped.set()

    async def rest(self) -> None:
        """Until nobody is at work who does not only wait for a result to expire. Raises what one raised."""
        while self.under_way > 0:
            self.tasks.check()
            await asyncio.sleep(self._plan.look)

    @property
    def under_way(self) -> int:
        """Without those that only wait for their results to expire."""
        return len(self.tasks) - self.late

    # -- one operation

    async def _live(self, op: int) -> None:
        chance = random.Random(f"{self._plan.seed}/{op}")
        one = _Operation(self, op, chance)
        ids = await one.submit()
        for id in ids[:1]:
            if chance.random() < 0.08:
                await one.act(id, "cancel")
            await one.follow(id)

    def note(self, entry: AnyEntry) -> None:
        self._journal.note(entry)

    def now(self) -> float:
        return self._journal.now()


class _Operation:
    def __init__(self, clients: Clients, op: int, chance: random.Random) -> None:
        self._clients = clients
        self._plan = clients._plan
        self._caller = clients._caller
        self._op = op
        self._chance = chance
        self._tenant = chance.choice(TENANTS)
        (self._kind,) = chance.choices(list(KINDS), list(KINDS.values()))
        self._key = f"key-{op}" if chance.random() < 0.5 else None
        (size,) = chance.choices(list(SIZES), list(SIZES.values()))
        self._body = planted(chance, size)
        self._headers = [("X-Order", str(op)), ("X-Secret", WORD.decode()), *TWICE]
        if self._kind == LATER:
            self._headers.append(("Restante-Deadline", f"{DEADLINE_SECONDS:g}s"))
        if chance.random() < 0.3:
            self._headers.append(("Restante-Priority", str(chance.choice(PRIORITIES))))
        if self._kind == "prefer":
            self._headers.append(("Prefer", chance.choice(PREFER)))
        self._target = f"/{self._kind}/{op}?n={chance.randrange(1000)}"
        self._expires = 0.0  # about when, by our clock

    @property
    def _plain(self) -> bool:
        """Whether it is submitted at the path itself, and looked at by the native API alone."""
        return self._kind in READ_OFTEN

    @property
    def _lasts(self) -> bool:
        """Whether there is time for more before it expires."""
        return self._clients.now() < self._expires - 5

    def _node(self) -> int:
        return self._caller.choose(self._chance)

    async def _rest(self, least: float, most: float) -> None:
        await asyncio.sleep(self._chance.uniform(least, most))

    # -- submitting

    async def submit(self) -> list[str]:
        """The ids that it was told. With a key it is sent until an answer comes, or several times at once."""
        self._expires = self._clients.now() + self._plan.retention
        if self._key is None:
            return await self._submit()
        if self._chance.random() < 0.3:
            told = await asyncio.gather(*[self._submit() for _ in range(3)])
            ids = [id for some in told for id in some]
        else:
            ids = await self._submit()
        for _ in range(TRIES):
            if ids and self._chance.random() > 0.15:  # now and then once more, for nothing
                break
            await self._rest(*TRY_SECONDS)
            ids += await self._submit()
        return ids

    async def _submit(self) -> list[str]:
        headers = [*self._headers, ("Content-Type", "application/octet-stream")]
        if self._key is not None:
            headers.append(("Idempotency-Key", self._key))
        method = "PUT" if self._kind == "put" else "POST"
        path = self._target if self._plain else f"/async{self._target}"
        answer = await self._caller.ask(self._node(), self._tenant, method, path, *headers, body=self._body)
        number = answer.headers.get(CALL)
        document = answer.document() if answer.code in ACCEPTED and number is None else {}
        id = document.get(ID_OF.get(self._kind, "request_id"))
        self._clients.note(
            Submit(
                at=answer.at,
                until=answer.until,
                node=answer.node,
                tenant=self._tenant,
                op=self._op,
                kind=self._kind,
                method=method,
                target=self._target,
                digest=digest(self._body),
                key=self._key,
                fields=said((name.encode(), text.encode("latin-1")) for name, text in headers),
                code=answer.code,
                id=id,
                replayed=answer.headers.get("idempotent-replayed") == "true",
                call=int(number) if number else None,
                answer=digest(answer.body) if number else None,
                answered=answer.fields if number else (),
            )
        )
        if id is not None or number is not None:
            self._clients.accepted += 1
        return [] if id is None else [id]

    async def act(self, id: str, what: str, *, tenant: str | None = None) -> str | None:
        """Cancels it, or has it done again; the id of the new one."""
        whose = tenant or self._tenant
        answer = await self._caller.ask(self._node(), whose, "POST", f"/-/transactions/{id}/{what}")
        made = answer.document().get("id") if what == "retry" and answer.code == 202 else None
        self._clients.note(
            Act(
                at=answer.at,
                until=answer.until,
                node=answer.node,
                tenant=whose,
                id=id,
                what=what,
                code=answer.code,
                made=made,
            )
        )
        return made

    # -- what comes of it

    async def follow(self, id: str, *, again: bool = True) -> None:
        """Polls in one way or another until it has ended; reads; may replay, do it again, and look too
        late."""
        live = self._chance.random() < 0.2
        status = await (self._listen(id) if live else self._until_ended(id))
        if self._chance.random() < 0.25:
            await self._try_as_somebody_else(id)
        if status == "failed" and not self._plain:
            await self._race(id)
            if self._key is not None and self._chance.random() < 0.4 and self._lasts:
                await self._submit()  # makes the error readable once more
                await self._race(id)
        elif status == "completed":
            await self.look(id, "kept" if self._plain else "result")
        if status in ENDED and again and self._chance.random() < 0.1 and self._lasts:
            made = await self.act(id, "retry")
            if made is not None:
                await self.follow(made, again=False)
        if status in ENDED and self._chance.random() < 0.4:
            await self._look_too_late(id)

    async def _until_ended(self, id: str) -> str | None:
        while self._clients.now() < self._expires + 2:
            ways = ("native",) if self._plain else ("status", "status", "native", "result")
            found = await self.look(id, self._chance.choice(ways), wait=self._chance.random() < 0.5)
            if found.word in ENDED or found.status in ENDED:
                return found.word or found.status
            if found.word == "unknown":
                return None
            if found.call is not None:  # the upstream's own answer: there is no word of ours on it
                native = await self.look(id, "native")
                if native.status in ENDED:
                    return native.status
            await self._rest(*self._plan.poll)
        return None

    async def _listen(self, id: str) -> str | None:
        """Follows its events live, from server to server and through their restarts, to the last one."""
        after, status = 0, None
        headers = [("Accept", "text/event-stream")]
        while self._clients.now() < self._expires + 2:
            more = [("Last-Event-ID", str(after))] if after else []
            node, path = self._node(), PATHS["events"].format(id)
            answer = await self._caller.ask(node, self._tenant, "GET", path, *headers, *more, partly=True)
            events = events_of(answer.body) if answer.code == 200 else ()
            self._clients.note(
                Streamed(
                    at=answer.at,
                    until=answer.until,
                    node=node,
                    tenant=self._tenant,
                    id=id,
                    after=after,
                    code=answer.code,
                    events=events,
                )
            )
            if events:
                after, status = events[-1].sequence, events[-1].status
            if status in ENDED or answer.code in (204, 404):
                return status
            await self._rest(*self._plan.poll)
        return status

    async def look(self, id: str, what: str, *, wait: bool = False, leaving: bool = False) -> Look:
        """Asks once, and notes it."""
        return await self.look_as(self._tenant, id, what, wait=wait, leaving=leaving)

    async def look_as(
        self, tenant: str, id: str, what: str, *, wait: bool = False, leaving: bool = False
    ) -> Look:
        headers = [("Prefer", WAIT)] if wait else []
        answer = await self._caller.ask(
            self._node(), tenant, "GET", PATHS[what].format(id), *headers, leaving=leaving
        )
        seen = look_of(answer, tenant=tenant, id=id, what=what)
        self._clients.note(seen)
        return seen

    async def _race(self, id: str) -> None:
        """Several readers at once; of one connection after the other some are given up."""
        readers = self._chance.choice((1, 1, 2, 4))
        leaving = [self._chance.random() < 0.15 for _ in range(readers)]
        await asyncio.gather(*[self.look(id, "result", leaving=leaves) for leaves in leaving])

    async def _try_as_somebody_else(self, id: str) -> None:
        other = self._chance.choice([name for name in TENANTS if name != self._tenant])
        if self._chance.random() < 0.3:
            await self.act(id, self._chance.choice(("cancel", "retry")), tenant=other)
        else:
            await self.look_as(other, id, self._chance.choice(list(PATHS)))

    async def _look_too_late(self, id: str) -> None:
        """After its retention; not, where everything is over before."""
        seconds = self._expires + self._chance.uniform(0.2, 3.0) - self._clients.now()
        self._clients.late += 1
        try:
            await asyncio.wait_for(self._clients._stopped.wait(), max(seconds, 0))
        except TimeoutError:
            for what in ("status", "result", "native") if not self._plain else ("native", "kept"):
                await self.look(id, what)
        finally:
            self._clients.late -= 1


PATHS = {
    "status": "/async/status/{}",
    "result": "/async/result/{}",
    "native": "/-/transactions/{}",
    "kept": "/-/transactions/{}/result",
    "events": "/-/transactions/{}/events",
}

ID_OF = {"tickets": "transaction_id", "prefer": "id"}
"""In which field of the accept answer the id is, where it is not `request_id`."""


def events_of(stream: bytes) -> tuple[Told, ...]:
    """The events of a stream that came whole; what follows the last blank line did not."""
    *blocks, _ = stream.split(b"\n\n")
    told = []
    for block in blocks:
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
        if b"data" in fields:
            told.append(told_of(msgspec.json.decode(fields[b"data"])))
    return tuple(told)


def told_of(event: dict[str, Any]) -> Told:
    """An event as it is spelled in a log, and in a stream."""
    data = event["data"]
    return Told(
        sequence=event["sequence"],
        event=event["event"],
        status=event["status"],
        attempt=data.get("attempt"),
        settled="lookup" in data and data.get("found") is True,
        defers=data.get("deferred") is True,
        moment=moment_of(event["created_at"]) if "created_at" in event else 0.0,
    )


def moment_of(text: str) -> float:
    """Seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def look_of(answer: Answer, *, tenant: str, id: str, what: str) -> Look:
    """What an answer told about a transaction."""
    number = answer.headers.get(CALL)
    looked = Look(
        at=answer.at,
        until=answer.until,
        node=answer.node,
        tenant=tenant,
        id=id,
        what=what,
        code=answer.code,
        word=answer.word,
    )
    if answer.code is None:
        return looked
    if what == "native" and answer.code == 200:
        document = answer.document()
        return msgspec.structs.replace(looked, status=document["status"], sequence=document["sequence"])
    if what in ("result", "kept"):
        return msgspec.structs.replace(
            looked,
            call=int(number) if number else None,
            digest=digest(answer.body),
            fields=answer.fields,
        )
    return looked
