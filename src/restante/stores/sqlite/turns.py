"""Whose turn it is: what the runner and the sweeper ask, on a thread of their own.

Claims are taken in memory, because one file has one server: a claimed key is held until its change says
that it is no longer being sent. A stale view does no harm, since a change that starts from it is refused.
"""

from collections.abc import Iterator
from typing import Any

from ...core.model import Claim, Transaction
from .database import Database, wrong
from .memory import Memory
from .queries import numbers
from .reader import transactions
from .rows import read_request, read_rows
from .turnstile import Turnstile
from .worker import Job

SMALL_BODY = 8 * 1024
"""Requests up to this size are read along with a claim."""

PAGE = 256
"""Index entries read at a time, beyond what is asked for: those in front may be held already."""


class Turns:
    """Answers claim, next_due, lapsed and next_lapse, one after the other."""

    def __init__(self, database: Database, memory: Memory) -> None:
        self._database = database
        self._memory = memory
        self._held: frozenset[int] = frozenset()

    def run(self, jobs: list[Job], turnstile: Turnstile) -> None:
        for job in jobs:
            self._held = frozenset(self._memory.held)  # before the snapshot: what it shows of these is old
            try:
                self._database.run("snapshot")
                try:
                    job.value = self._answer(job.kind, job.what)
                finally:
                    self._database.roll_back()
            except Exception as error:
                job.error = wrong(error)

    def _answer(self, kind: str, what: tuple[Any, ...]) -> Any:
        match kind:
            case "claim":
                return self._claim(*what)
            case "next_due":
                return self._next_due(*what)
            case "next_lapse":
                return self._database.value("next_lapse", what)
            case _:
                return self._lapsed(*what)

    def _claim(self, upstream: str, limit: int, now: int) -> list[Claim]:
        keys: list[int] = []
        for key in self._due(upstream, limit, now):
            if len(keys) == limit:
                break
            if key not in self._held and key not in self._memory.held:
                keys.append(key)
        if not keys:
            return []
        found = transactions(self._database, keys)
        rows = self._database.rows("small_requests", (numbers(keys), SMALL_BODY))
        requests = {row[0]: read_request(row) for row in rows}
        self._memory.hold(keys)
        return [Claim(found[key], requests.get(key)) for key in keys]

    def _due(self, upstream: str, limit: int, now: int) -> Iterator[int]:
        for priority in self._priorities(upstream):
            last = (-(1 << 63), 0)
            while True:
                place = (upstream, priority, now, *last, limit + PAGE)
                page = read_rows(self._database.value("due", place))
                for _, key in page:
                    yield key
                if len(page) < limit + PAGE:
                    break
                last = (page[-1][0], page[-1][1])

    def _next_due(self, upstream: str, now: int) -> int | None:
        moments = [
            self._database.value("next_due", (upstream, priority, now))
            for priority in self._priorities(upstream)
        ]
        return min((moment for moment in moments if moment is not None), default=None)

    def _lapsed(self, now: int, limit: int) -> list[Transaction]:
        (keys,) = read_rows("[" + self._database.value("lapsed", (now, limit)) + "]")
        found = transactions(self._database, keys)
        return [found[key] for key in keys]

    def _priorities(self, upstream: str) -> list[int]:
        (priorities,) = read_rows("[" + self._database.value("priorities", (upstream,)) + "]")
        return priorities
