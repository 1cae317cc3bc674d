"""Look-ups by id and by key, of every store: whoever does them gets what was asked meanwhile as one job."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from ..core.access import EVERYBODY
from ..core.delivery import Delivery
from ..core.errors import KeyReused
from ..core.identity import key_of
from ..core.model import Accepted, Event, Request, Result, Submission, Transaction
from ..core.outbox import Errand
from ..ports import EVENTS, Told

Taken = tuple[Delivery, int | None]
"""A delivery, and the event that its endpoint was told before."""

BODY_BYTES = 16 * 1024
"""What reading a body counts for, which is not known before: so that not too many come at once."""


MAX_LOOKUPS = 100_000
"""Look-ups that may wait: more than callers ask for at once, who are as many as may be connected. So whoever
was let in is answered in turn, and nobody is sent away because thousands were woken together."""


class Reader(Protocol):
    """Does a job of one kind: `what` is a list, the answer one of the same length."""

    async def do(self, kind: str, what: Any, *, size: int = 0) -> Any: ...

    async def close(self) -> None: ...


class Lookups:
    """The part of a store that answers them; `_read` does the jobs."""

    _read: Reader
    secret: bytes

    def offer(self, submissions: Sequence[Submission], told: Told) -> None:
        raise NotImplementedError

    async def accept(self, submissions: Sequence[Submission]) -> list[Accepted | KeyReused]:
        future: asyncio.Future[list[Accepted | BaseException]] = asyncio.get_running_loop().create_future()

        def told(answers: list[Accepted | BaseException]) -> None:
            if not future.done():
                future.set_result(answers)

        self.offer(submissions, told)
        answers: list[Accepted | KeyReused] = []
        for answer in await future:
            if not isinstance(answer, Accepted | KeyReused):
                raise answer
            answers.append(answer)
        return answers

    async def look(self, ids: Sequence[str], *, tenant: str = EVERYBODY) -> list[Transaction | None]:
        keys = [key_of(id, self.secret) for id in ids]
        asked = [key for key in keys if key is not None]
        if not asked:
            return [None] * len(keys)
        rows: list[Transaction | None]
        if tenant == EVERYBODY:
            rows = await self._read.do("transactions", asked)
        else:
            rows = await self._read.do("owned", [(key, tenant) for key in asked])
        found = {row.id: row for row in rows if row is not None}
        return [found.get(id) for id in ids]

    async def requests(self, keys: Sequence[int]) -> list[Request | None]:
        found: list[Request | None] = await self._read.do("requests", keys, size=BODY_BYTES * len(keys))
        return found

    async def results(self, keys: Sequence[int]) -> list[Result | None]:
        found: list[Result | None] = await self._read.do("results", keys, size=BODY_BYTES * len(keys))
        return found

    async def events(self, keys: Sequence[int], *, after: int = 0, limit: int = EVENTS) -> list[list[Event]]:
        asked = [(key, after, limit) for key in keys]
        found: list[list[Event] | None] = await self._read.do("events", asked)
        return [list(log or ()) for log in found]  # those who asked alike were given the same

    async def _errands(self, taken: Sequence[Taken]) -> list[Errand]:
        """Deliveries with what they tell of, as it is now."""
        told = [delivery for delivery, _ in taken if delivery.key]
        if not told:
            return [Errand(delivery) for delivery, _ in taken]
        keys = [delivery.key for delivery in told]
        asked = [(delivery.key, delivery.sequence - 1, 1) for delivery in told]
        rows: list[Transaction | None] = await self._read.do("transactions", keys)
        logs: list[list[Event] | None] = await self._read.do("events", asked)
        transactions = dict(zip(keys, rows, strict=True))
        events = {one.number: log[0] for one, log in zip(told, logs, strict=True) if log}
        return [
            Errand(delivery, transactions.get(delivery.key), events.get(delivery.number), previous)
            for delivery, previous in taken
        ]
