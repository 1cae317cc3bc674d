"""What the upstream does about work that it has taken over: it reports its end, once or twice, early, late,
or never, and tells a server that is away again. What it sends is JSON, and each try is noted."""

import asyncio
import random
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ..core.errors import UpstreamError
from ..core.policy import Upstream
from ..outbound import HTTPSender
from .journal import Call, Fields, Journal, Reported, digest, said
from .site import Asked
from .tasks import Tasks

URL, TOKEN = "restante-events-url", "restante-events-token"

FATES = {"once": 40, "twice": 16, "progress": 12, "early": 12, "late": 8, "never": 12}
"""How its end is told: `early` comes before the answer that defers it, `late` after its deadline."""

DEADLINE_SECONDS = 12.0
"""What clients give work that is deferred."""

WORK_SECONDS = (0.1, 2.5)
AGAIN_SECONDS = 0.5
TRIES = 60
"""A server that is stopped beyond its lease, and one that is started again, are told all the same."""

CONNECT_SECONDS = 2.0
TIMEOUT_SECONDS = 6.0


def answered(call: Call) -> list[tuple[str, str]]:
    """The header fields of an answer, and of one that is reported: two of one name, apart and in no order of
    letters, and one that says nothing."""
    return [
        ("X-Order", str(call.op)),
        ("Content-Type", "application/json"),
        ("X-Twice", "b, c"),
        ("X-Ledger-Call", str(call.number)),
        ("X-Between", ""),
        ("X-Twice", "a"),
    ]


def spelled(fields: list[tuple[str, str]]) -> Fields:
    """As a journal has them."""
    return said((name.encode(), text.encode()) for name, text in fields)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a call that is deferred. `status` is that of the result, whose `body` is told."""

    fate: str
    status: int
    body: bytes

    @property
    def says(self) -> str:
        return "completed" if self.status < 300 else "failed"

    @property
    def executed(self) -> bool:
        return self.fate != "never" and self.says == "completed"


class Reports:
    """What is told of calls; `tasks` is what is still to be told."""

    def __init__(self, journal: Journal, *, sender: HTTPSender | None = None) -> None:
        self._journal = journal
        self._sender = sender or HTTPSender()
        self._tokens: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.tasks = Tasks()

    def know(self, asked: Asked, call: Call) -> None:
        """The token that came with an attempt."""
        if TOKEN in asked.headers:
            self._tokens[call.transaction].append((call.attempt, asked.headers[TOKEN]))

    async def before(self, plan: Plan, call: Call, url: str) -> None:
        """What is told before the answer that defers it. The mark is on disk, so it must be taken."""
        if plan.fate == "early":
            await self._tell(plan, call, url, plan.says)

    def after(self, plan: Plan, call: Call, url: str, chance: random.Random) -> None:
        """What is told once it has been deferred."""
        self.tasks.begin(self._live(plan, call, url, chance))

    async def close(self) -> None:
        await self.tasks.end()
        await self._sender.close()

    async def _live(self, plan: Plan, call: Call, url: str, chance: random.Random) -> None:
        if plan.fate in ("early", "never"):
            return
        (attempt, old), *_ = self._tokens[call.transaction]
        if attempt < call.attempt:
            await self._tell(plan, call, url, plan.says, stale=(attempt, old))
        if plan.fate == "progress":
            await asyncio.sleep(chance.uniform(*WORK_SECONDS) / 2)
            await self._tell(plan, call, url, "info")
        await asyncio.sleep(
            chance.uniform(*WORK_SECONDS) if plan.fate != "late" else DEADLINE_SECONDS + WORK_SECONDS[1]
        )
        for _ in range(2 if plan.fate == "twice" else 1):
            await self._tell(plan, call, url, plan.says)

    async def _tell(
        self, plan: Plan, call: Call, url: str, says: str, *, stale: tuple[int, str] | None = None
    ) -> None:
        """Until a server has taken or refused it."""
        attempt, token = stale or self._tokens[call.transaction][-1]
        ends = says != "info"
        document: dict[str, Any] = {"message": "half of it is done"}
        if ends:
            result = {"status": plan.status, "headers": answered(call)}
            document = {"status": says, "result": {**result, "body": msgspec.Raw(plan.body)}}
        body = msgspec.json.encode(document)
        for _ in range(TRIES):
            at = self._journal.now()
            code = await self._post(url, token, body)
            self._journal.note(
                Reported(
                    at=at,
                    until=self._journal.now(),
                    number=call.number,
                    op=call.op,
                    transaction=call.transaction,
                    attempt=attempt,
                    says=says,
                    stale=stale is not None,
                    status=plan.status if ends else None,
                    answer=digest(plan.body) if ends else None,
                    answered=spelled(answered(call)) if ends else (),
                    code=code,
                )
            )
            if code is not None and code < 500:
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def _post(self, url: str, token: str, body: bytes) -> int | None:
        """The answer's code; None where none came."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        server = Upstream(host=parts.hostname, port=parts.port, authority=parts.netloc)
        headers = (
            (b"Host", parts.netloc.encode()),
            (b"Content-Type", b"application/json"),
            (b"Restante-Events-Token", token.encode()),
        )
        try:
            line = await self._sender.connect(server, max_idle_seconds=None, timeout_seconds=CONNECT_SECONDS)
            exchange = await line.send(
                "POST", parts.path, headers, body, size=len(body), timeout_seconds=TIMEOUT_SECONDS
            )
            async for _ in exchange.body():
                pass
        except UpstreamError:
            return None
        return exchange.status
