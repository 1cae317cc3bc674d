"""Whose turn it is: claims, releases, and the next moment something is due."""

from typing import Any

from ...core.errors import RestanteError
from ...core.model import Claim
from .database import Database
from .lane import Job
from .nodes import Nodes
from .rows import columns, read_request, read_transaction, text
from .trouble import Lost, unavailable

SMALL_BODY = 8 * 1024
"""Requests up to this size are read along with a claim."""

_REQUEST = 26
"""The column at which a claim's request begins."""


class Turning:
    """Does claim, next_due and release, one after the other."""

    def __init__(self, database: Database, nodes: Nodes) -> None:
        self._database = database
        self._nodes = nodes

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

    async def _claim(self, upstream: str, limit: int, now: int) -> list[Claim]:
        hold = self._nodes.number()
        try:
            rows = await self._database.rows("claim", text(upstream), limit, now, hold, SMALL_BODY)
        except Lost as error:
            self._nodes.doubt(hold)
            raise unavailable(error) from None
        claims = []
        for row in rows:
            request = None
            if row[_REQUEST] is not None:
                request = read_request((row[0], *row[_REQUEST:]))
            claims.append(Claim(read_transaction(row), request))
        self._nodes.hold([claim.transaction.key for claim in claims], hold)
        return claims
