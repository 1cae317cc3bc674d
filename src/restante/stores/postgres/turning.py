"""Whose turn it is: claims, releases, and the next moment something is due."""

from collections import Counter
from typing import Any

from ...core.errors import RestanteError
from ...core.model import Claim, Ration
from .database import Database
from .lane import Job
from .nodes import Nodes
from .rows import columns, read_request, read_transaction, text
from .trouble import Lost, unavailable

SMALL_BODY = 8 * 1024
"""Requests up to this size are read along with a claim."""

_TENANT = 2
_REQUEST = 26
"""The column at which a claim's request begins."""

_LINES = 29
"""The column that says in how many tenants' turn it was."""


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
                return await self._database.rows("release", *columns(what, 2), again=True)

    async def _claim(self, upstream: str, limit: int, now: int, ration: Ration | None) -> list[Claim]:
        """The share of each tenant that has something due; what one leaves is shared by the others."""
        hold = self._nodes.number()
        self._nodes.acquiring(hold)
        claims: list[Claim] = []
        each, has = (ration.each, ration.has) if ration else (None, {})
        had = Counter({text(tenant): count for tenant, count in has.items()})
        more = True
        while more and len(claims) < limit:
            left = limit - len(claims)
            served = self._served.get(upstream, "")
            try:
                rows = await self._database.rows(
                    "claim",
                    *(text(upstream), left, now, hold, SMALL_BODY, served),
                    *(each, list(had), list(had.values())),
                )
            except Lost as error:
                self._nodes.doubt(hold)
                raise unavailable(error) from None
            except RestanteError:
                if claims:  # what was taken before it failed
                    self._nodes.doubt(hold)
                raise
            more = self._serve(upstream, left, rows)
            if ration:
                had.update(row[_TENANT] for row in rows)
            claims += map(_claim_of, rows)
        self._nodes.hold([claim.transaction.key for claim in claims], hold)
        self._nodes.acquiring(0)
        return claims

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


def _claim_of(row: Any) -> Claim:
    request = None
    if row[_REQUEST] is not None:
        request = read_request((row[0], *row[_REQUEST:_LINES]))
    return Claim(read_transaction(row), request)
