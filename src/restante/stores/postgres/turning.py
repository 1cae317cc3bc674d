"""Whose turn it is: claims, releases, and the next moment something is due.

A claim says whose turn it is, in `ready` alone; the rows are read by their keys after that, because only then
it is known in which partitions they are.
"""

import asyncio
from collections import Counter
from typing import Any

from ...core.errors import RestanteError
from ...core.machine import TERMINAL
from ...core.model import Claim, Ration
from .database import Database
from .lane import Job
from .nodes import Nodes
from .reading import looked_up, transactions
from .rows import columns, read_request, text
from .trouble import Lost, unavailable

SMALL_BODY = 8 * 1024
"""Requests up to this size are read along with a claim."""

_KEY, _TENANT, _LINES = range(3)
"""A claim's columns; the last says in how many tenants' turn it was."""


class Turning:
    """Does claim, next_due and release, one after the other."""

    def __init__(self, database: Database, nodes: Nodes) -> None:
        self._database = database
        self._nodes = nodes
        self._served: dict[str, str] = {}  # upstream, the tenant (as stored) that was given a share last

    async def run(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                job.value = await self._answer(job.kind, job.what)
            except RestanteError as error:
                job.error = error

    async def _answer(self, kind: str, what: tuple[Any, ...]) -> Any:
        match kind:
            case "claim":
                return await self._claim(*what)
            case "next_due":
                upstream, now = what
                return await self._database.value("next_due", text(upstream), now, again=True)
            case _:
                keys = [key for key, _ in what]
                return await self._database.rows("release", *columns(what, 2), keys=keys, again=True)

    async def _claim(
        self, upstream: str, limit: int, now: int, ration: Ration | None, paused: bool
    ) -> list[Claim]:
        """The share of each tenant that has something due; what one leaves is shared by the others."""
        hold = self._nodes.number()
        self._nodes.acquiring(hold)
        keys: list[int] = []
        each, has = (ration.each, ration.has) if ration else (None, {})
        had = Counter({text(tenant): count for tenant, count in has.items()})
        more = True
        while more and len(keys) < limit:
            left = limit - len(keys)
            served = self._served.get(upstream, "")
            try:
                rows = await self._database.rows(
                    "claim",
                    *(text(upstream), left, now, hold, served),
                    *(each, list(had), list(had.values()), paused),
                )
            except Lost as error:
                self._nodes.doubt(hold)
                raise unavailable(error) from None
            except RestanteError:
                if keys:  # what was taken before it failed
                    self._nodes.doubt(hold)
                raise
            more = self._serve(upstream, left, rows)
            if ration:
                had.update(row[_TENANT] for row in rows)
            keys += [row[_KEY] for row in rows]
        try:
            claims = await self._read(keys)
        except RestanteError:
            self._nodes.doubt(hold)
            raise
        self._nodes.hold([claim.transaction.key for claim in claims], hold)
        self._nodes.acquiring(0)
        return claims

    async def _read(self, keys: list[int]) -> list[Claim]:
        """What was claimed and has not ended since."""
        if not keys:
            return []
        found, small = await asyncio.gather(
            transactions(self._database, keys),
            looked_up(self._database, "small_requests", keys, SMALL_BODY),
        )
        requests = {row[0]: read_request(row) for row in small}
        return [
            Claim(found[key], requests.get(key))
            for key in keys
            if key in found and found[key].status not in TERMINAL
        ]

    def _serve(self, upstream: str, limit: int, rows: list[Any]) -> bool:
        """Notes who was served last, and tells whether anybody may have more than was asked of him."""
        if not rows:
            return False
        lines = rows[0][_LINES]
        share = -(-limit // lines)
        given = Counter(row[_TENANT] for row in rows)
        if len(rows) < limit or given[rows[-1][_TENANT]] == share or len(given) == 1:
            self._served[upstream] = rows[-1][_TENANT]
        else:  # whoever was given less is the first in the next claim
            self._served[upstream] = list(given)[-2]
        return lines == limit or share in given.values()
