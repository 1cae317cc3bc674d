"""Whose turn it is: what the runner and the sweeper ask, on a thread of their own.

A claim is shared over the tenants that have something due, in turn: those that it has no place for are the
first in the next (docs/why/0010-fairness.md). Claims are taken in memory, because one file has one server: a
claimed key is held until its change says that it is no longer being sent. A stale view does no harm, since a
change that starts from it is refused.
"""

from collections.abc import Set
from itertools import chain, islice
from typing import Any

import msgspec

from ...core.model import Claim, Ration, Transaction
from .database import Database, wrong
from .memory import Memory
from .queries import numbers
from .reader import transactions
from .rows import read_request, read_rows
from .turnstile import Turnstile
from .worker import Job

SMALL_BODY = 8 * 1024
"""Requests up to this size are read along with a claim."""

LEAST_PAGE = 16
"""Tenants looked at together, where fewer are asked for."""

Lines = dict[str, list[int]]
"""Tenants, in turn, and the priorities at which each has something due, highest first."""


class Turns:
    """Answers claim, next_due, paused, oldest, lapsed and next_lapse, one after the other."""

    def __init__(self, database: Database, memory: Memory) -> None:
        self._database = database
        self._memory = memory
        self._held: frozenset[int] = frozenset()
        self._served: dict[str, str] = {}  # upstream, the tenant that was given a share last

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
            case "paused":
                (names,) = read_rows(f"[{self._database.value('paused')}]")
                return frozenset(names)
            case "oldest":
                return self._database.value("oldest")
            case "next_lapse":
                return self._database.value("next_lapse", what)
            case _:
                return self._lapsed(*what)

    def _claim(self, upstream: str, limit: int, now: int, ration: Ration | None, paused: bool) -> list[Claim]:
        if self._database.value("is_paused", (upstream,)) and not paused:
            return []
        # The snapshot stands, by the read above: whoever is held now as well may be free in it.
        held = self._held | self._memory.held
        ration = ration or Ration(limit, {})
        keys = self._due(upstream, limit, now, held, ration)
        if not keys:
            return []
        found = transactions(self._database, keys)
        rows = self._database.rows("small_requests", (numbers(keys), SMALL_BODY))
        requests = {row[0]: read_request(row) for row in rows}
        self._memory.hold(keys)
        return [Claim(found[key], requests.get(key)) for key in keys]

    def _due(self, upstream: str, limit: int, now: int, held: Set[int], ration: Ration) -> list[int]:
        """The share of each tenant that has something due; what one leaves is shared by the others."""
        keys: list[int] = []
        lines = self._lines(upstream, limit, now, held, ration)
        left_of = {tenant: ration.left(tenant) for tenant in lines}
        while lines and len(keys) < limit:
            left = limit - len(keys)
            share = -(-left // len(lines))
            places = [(tenant, priority) for tenant, priorities in lines.items() for priority in priorities]
            asked = (upstream, msgspec.json.encode(places).decode(), now, share, numbers([*held, *keys]))
            pages = iter(read_rows(self._database.value("due", asked)))
            for tenant, priorities in list(lines.items()):
                some = list(chain.from_iterable(islice(pages, len(priorities))))[
                    : min(share, left_of[tenant])
                ]
                left_of[tenant] -= len(some)
                if len(some) < share or not left_of[tenant]:
                    del lines[tenant]
                given = some[: limit - len(keys)]
                if given and len(given) == len(some):  # whoever was given less is the first in the next claim
                    self._served[upstream] = tenant
                keys += given
        return keys

    def _lines(self, upstream: str, limit: int, now: int, held: Set[int], ration: Ration) -> Lines:
        """At most `limit` tenants, behind the last one served, that may have more and have something due."""
        lines: Lines = {}
        served = after = self._served.get(upstream, "")
        size = max(limit, LEAST_PAGE)
        around = not served
        while True:
            page = (upstream, after, size, now, numbers(list(held)))
            walked: set[str] = set()
            for tenant, priority, due in read_rows(self._database.value("lines", page)):
                walked.add(tenant)
                if due and ration.left(tenant) > 0 and not (around and served and tenant > served):
                    lines.setdefault(tenant, []).append(priority)
            if len(lines) >= limit:
                return dict(islice(lines.items(), limit))
            end = len(walked) < size
            after = max(walked, default="")
            if around and (end or (served and after >= served)):
                return lines
            if end:
                around, after = True, ""

    def _next_due(self, upstream: str, now: int) -> int | None:
        moment: int | None = self._database.value("next_due", (upstream, now))
        return moment

    def _lapsed(self, now: int, limit: int) -> list[Transaction]:
        (keys,) = read_rows("[" + self._database.value("lapsed", (now, limit)) + "]")
        found = transactions(self._database, keys)
        return [found[key] for key in keys]
