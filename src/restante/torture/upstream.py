"""The upstream: it keeps a ledger of every call, and answers as badly as upstreams do.

What it does with a call is drawn from the seed, the operation and how often that was called before: an
answer, an error, an answer that comes late, never, broken off or longer announced than it is, or a hang-up,
each with the work done or not; or it defers the work, and reports its end (`reporting`). It honours
`Idempotency-Key` (what has a key that it knows is answered as the first time, without doing anything), and
tells whoever asks at `/ledger/OP` what it did, unless it cannot say just then."""

import asyncio
import random
from collections import Counter

import msgspec

from ..outbound import HTTPSender
from .journal import Call, Journal, Question, digest
from .planted import WORD
from .reporting import FATES, URL, Plan, Reports, answered, spelled
from .site import Asked, HungUp, Site, answer

DEFERS = ("Restante-Completion", "deferred")
LATER = "later"
"""The kind of work that is deferred."""

TRANSACTION = "restante-transaction"
BUSY = 503
"""The code by which it says that it did nothing (`retry.on`)."""

WAYS = {
    "answer": 64,
    "refuse": 14,  # an error, with a body
    "busy": 5,
    "slow": 9,
    "hang": 2,  # longer than anybody waits
    "hang up": 2,  # before a byte of an answer
    "truncate": 3,  # less than it announced
    "empty": 3,  # 204
}
ASKED = {**WAYS, "hang up": 20, "truncate": 20}
"""Of work that is asked for afterwards: more of what nobody knows."""

CALM = {"answer": 80, "refuse": 20}
UNSURE = 0.3
"""Of look-ups so many are answered 500."""

REFUSALS = (400, 404, 409, 422, 425, 500)
SIZES = {40: 50, 900: 30, 9_000: 12, 90_000: 6, 400_000: 2}
"""Bytes of an answer, and how often: in the store's row, and in pieces."""

SLOW_SECONDS = (0.05, 1.0)


class Ledger:
    """`calm` answers well and at once; `hanging` answers nothing until it is over; while it is `denying` no
    look-up is answered."""

    def __init__(
        self,
        journal: Journal,
        *,
        seed: int,
        timeout_seconds: float,
        latency_seconds: tuple[float, float],
        sender: HTTPSender | None = None,
    ) -> None:
        self.site = Site(self._serve)
        self.calm = False
        self.denying = False
        self.reports = Reports(journal, sender=sender)
        self.hanging = asyncio.Event()
        self.hanging.set()
        self._journal = journal
        self._seed = seed
        self._timeout_seconds = timeout_seconds
        self._latency_seconds = latency_seconds
        self._seen: Counter[int] = Counter()
        self._asked: Counter[int] = Counter()
        self._number = 0
        self._done: dict[int, bytes] = {}  # op: what the ledger says of it
        self._known: dict[str, tuple[int, bytes]] = {}  # key: what was answered

    async def _serve(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        at = self._journal.now()
        kind, op = place_of(asked.target)
        if kind == "ledger":
            self._tell(asked, op, at, writer)
            return
        self._number += 1
        self._seen[op] += 1
        chance = random.Random(f"{self._seed} {op} {self._seen[op]}")
        key = asked.headers.get("idempotency-key")
        call = Call(
            at=at,
            until=at,
            number=self._number,
            op=op,
            transaction=asked.headers.get(TRANSACTION, ""),
            attempt=int(asked.headers.get("restante-attempt", "0")),
            key=key,
            method=asked.method,
            target=asked.target,
            digest=digest(asked.body),
            fields=asked.fields,
            does="repeat",
            executed=False,
        )
        self.reports.know(asked, call)
        known = self._known.get(key) if key is not None else None
        deferring: Plan | None = None
        if known is not None:
            code, body = known
        else:
            call, code, body = self._decide(call, chance)
            if (
                kind == LATER
                and URL in asked.headers
                and call.does in ("answer", "slow", "hang up", "truncate")
            ):
                call, deferring = self._defer(call, body, chance)
            if call.executed and key is not None:
                self._known[key] = (code, body)
        call = msgspec.structs.replace(call, answer=digest(body))
        url = asked.headers.get(URL, "")
        try:
            if deferring is not None:
                await self.reports.before(deferring, call, url)
            call = await self._answer(call, code, body, writer, chance)
        finally:  # also where it is cut off: what was executed must be known
            self._journal.note(msgspec.structs.replace(call, until=self._journal.now()))
        if deferring is not None:
            self.reports.after(deferring, call, url, chance)
        if not call.whole:
            raise HungUp

    def _defer(self, call: Call, body: bytes, chance: random.Random) -> tuple[Call, Plan]:
        """The work is taken over: `body` is what will be told of it, whatever becomes of this answer."""
        (fate,) = ("once",) if self.calm else chance.choices(list(FATES), list(FATES.values()))
        plan = Plan(fate=fate, status=200 if chance.random() < 0.8 else 422, body=body)
        return msgspec.structs.replace(call, defers=True, executed=plan.executed), plan

    def _decide(self, call: Call, chance: random.Random) -> tuple[Call, int, bytes]:
        """What it does with a call that it has not seen; whether it works comes first, as with all who
        crash."""
        kind, _ = place_of(call.target)
        ways = CALM if self.calm else ASKED if kind == "asked" else WAYS
        (does,) = chance.choices(list(ways), list(ways.values()))
        code = {"refuse": chance.choice(REFUSALS), "busy": BUSY, "empty": 204}.get(does, 200)
        executed = does not in ("refuse", "busy") and (does != "hang up" or chance.random() < 0.5)
        entry = msgspec.json.encode({"call": call.number, "op": call.op, "code": code})
        body = entry
        if code == 204:
            body = b""
        elif does not in ("refuse", "busy"):
            (size,) = chance.choices(list(SIZES), list(SIZES.values()))
            body = b'{"entry":%b,"pad":"%b%b"}' % (entry, WORD, chance.randbytes(size // 2).hex().encode())
        if executed:
            self._done.setdefault(call.op, entry)
        return msgspec.structs.replace(call, does=does, executed=executed), code, body

    async def _answer(
        self, call: Call, code: int, body: bytes, writer: asyncio.StreamWriter, chance: random.Random
    ) -> Call:
        await self.hanging.wait()
        match call.does:
            case "hang up":
                return call
            case "slow":
                await asyncio.sleep(chance.uniform(*SLOW_SECONDS))
            case "hang":
                await asyncio.sleep(2 * self._timeout_seconds)
            case _:
                await asyncio.sleep(chance.uniform(*self._latency_seconds))
        headers = answered(call)
        if call.defers:  # what is told at the end is not in this answer
            code, body = 202, b"{}"
            headers.append(DEFERS)
        call = msgspec.structs.replace(call, answered=spelled(headers))
        if call.does == "truncate":
            writer.write(answer(code, body[: len(body) // 2], *headers, size=len(body)))
            await writer.drain()
            return call
        writer.write(answer(code, body, *headers))
        await writer.drain()
        return msgspec.structs.replace(call, code=code, whole=True)

    def _tell(self, asked: Asked, op: int, at: float, writer: asyncio.StreamWriter) -> None:
        """What it did for an operation, as a list of one or none."""
        entry = self._done.get(op)
        body = b'{"entries":[%b]}' % (entry or b"")
        self._asked[op] += 1
        drawn = random.Random(f"{self._seed} asked {op} {self._asked[op]}").random()
        code = 500 if self.denying or (not self.calm and drawn < UNSURE) else 200
        writer.write(answer(code, body if code == 200 else b"", ("Content-Type", "application/json")))
        self._journal.note(
            Question(
                at=at,
                until=self._journal.now(),
                op=op,
                transaction=asked.headers.get(TRANSACTION, ""),
                found=entry is not None,
                answer=None if entry is None else digest(entry),
                code=code,
            )
        )


def place_of(target: str) -> tuple[str, int]:
    """The kind and the operation that a path is about: `/KIND/OP`."""
    _, kind, op, *_ = [*target.partition("?")[0].split("/"), "", ""]
    return kind, int(op) if op.isdigit() else 0
