"""Lists: filters, order, pages and cursors.

The query is put together from constant parts; what is searched for is always bound. Every query carries
the tenant. Each filter that people use has an index in the list's order, and the server's statistics tell
which has the fewest rows. What has ended and what has not are listed from tables of their own, because a
status changes and an index on it would have every change written into every index; whether these are walked
is decided here, by counting up to a bound.
"""

from typing import Any

from ...core.machine import TERMINAL
from ...core.model import Query, Transaction
from ...core.status import Status
from ..codes import DIALECT, STATUS
from .database import Database
from .queries import QUERIES
from .rows import read_transaction, text

_COLUMNS = ", ".join(
    f"t.{column.strip()}"
    for column in QUERIES["transactions"].split("FROM")[0].removeprefix("SELECT").split(",")
)

_CONDITIONS = {
    "dialect": "t.dialect = {}",
    "operation": "t.operation = {}",
    "path": "t.path = {0} AND hashtextextended(t.path, 0) = hashtextextended({0}, 0)",
    "path_prefix": "starts_with(t.path, {})",
    "tracking_id": "t.tracking_id = {}",
    "created_from": "{place}.created_at >= {}",
    "created_to": "{place}.created_at <= {}",
}


_LOOKED_UP = (
    "CROSS JOIN LATERAL (SELECT * FROM restante.transactions WHERE transactions.key = p.key OFFSET 0) AS t"
)
"""Row by row, in the order of what is walked, and no further than the page needs (that is the OFFSET's part:
the server would turn it into a join of everything with everything)."""

_BOUNDS = (1_000, 20_000)
"""Counted up to these, one after the other, until one of the filters has fewer."""


_PROCESSING = """(
    SELECT key, tenant, created_at FROM restante.ready WHERE begun
    UNION ALL SELECT key, tenant, created_at
    FROM (SELECT * FROM restante.ready WHERE hold IS NOT NULL AND NOT begun OFFSET 0) AS held
)"""
"""What may be being processed: what has been begun and waits, and the little that somebody holds."""

_WALKED = {Status.PENDING: "restante.ready", Status.PROCESSING: _PROCESSING}


class Sought:
    """A query as text and arguments. `by_status`: walked in the table of what has, or has not, ended.

    `counting`: of what has not ended, all that is walked is counted.
    """

    def __init__(self, query: Query, *, by_status: bool, counting: bool = False) -> None:
        self.arguments: list[Any] = []
        self.conditions: list[str] = []
        self.counting = counting
        self.walked = self.source = "restante.transactions AS t"
        self.place = "t"  # the table whose order the list has
        if query.status is not None:
            self._of_status(query.status, by_status)
        self.conditions.append(f"{self.place}.tenant = {self.bind(text(query.tenant))}")
        for field, condition in _CONDITIONS.items():
            value = getattr(query, field)
            if value is None:
                continue
            if field == "dialect":
                value = DIALECT[value]
            elif isinstance(value, str):
                value = text(value)
            self.conditions.append(condition.format(self.bind(value), place=self.place))

    def bind(self, value: Any) -> str:
        """The placeholder for an argument."""
        self.arguments.append(value)
        kind = {int: "::bigint", str: "::text"}[type(value)]
        return f"${len(self.arguments)}{kind}"

    def _of_status(self, status: Status, by_status: bool) -> None:
        ended = status in TERMINAL
        if by_status:
            self.place = "p"
            self.walked = f"{_WALKED.get(status, 'restante.endings')} AS p"
            self.source = f"{self.walked} {_LOOKED_UP}"
            if status is Status.PENDING:
                self.conditions.append("NOT p.begun")
        if not (by_status and self.counting and not ended):
            number = self.bind(STATUS[status])
            self.conditions.append(f"{'p' if by_status and ended else 't'}.status = {number}")


async def find(database: Database, query: Query) -> list[Transaction]:
    """One page."""
    moment = None
    if query.after_key is not None:
        places = await database.rows("cursor", query.after_key, text(query.tenant), again=True)
        if not places:
            return []
        moment = places[0][0]
    by_status = await _status_is_rarest(database, query)
    page, arguments = text_of(query, moment, by_status=by_status)
    return [read_transaction(row) for row in await database.search(page, *arguments)]


async def _status_is_rarest(database: Database, query: Query) -> bool:
    """Whether the status, of the filters that have an index, has the fewest rows: so they are counted."""
    if query.status is None or query.tracking_id is not None:
        return False
    others = [_of(query, field) for field in ("path", "operation") if getattr(query, field) is not None]
    if not others:
        return True
    alone = _of(query, "status")
    for bound in _BOUNDS:
        mine = await _count(database, alone, bound)
        if mine < bound or bound == _BOUNDS[-1]:
            return all([mine <= await _count(database, other, bound) for other in others])
        if min([await _count(database, other, bound) for other in others]) < bound:
            return False
    return True


def _of(query: Query, field: str) -> Query:
    """The same with no other filter than this one and the range of time."""
    return Query(
        tenant=query.tenant,
        created_from=query.created_from,
        created_to=query.created_to,
        **{field: getattr(query, field)},
    )


async def _count(database: Database, query: Query, bound: int) -> int:
    """How many rows a filter has within the range of time, at most `bound`."""
    sought = Sought(query, by_status=query.status is not None, counting=True)
    rows = await database.search(
        f"SELECT count(*) FROM (SELECT 1 FROM {sought.walked} "
        f"WHERE {' AND '.join(sought.conditions)} "
        f"ORDER BY {sought.place}.created_at, {sought.place}.key LIMIT {sought.bind(bound)}) AS few",
        *sought.arguments,
    )
    return int(rows[0][0])


def text_of(query: Query, after: int | None, *, by_status: bool) -> tuple[str, list[Any]]:
    """The query's text and arguments. `after`: the moment of the row that the page goes on behind."""
    sought = Sought(query, by_status=by_status)
    moment = f"{sought.place}.created_at"
    key = f"{sought.place}.key"
    if after is not None:
        sign = ">" if query.ascending else "<"
        behind = f"{sought.bind(after)}, {sought.bind(query.after_key or 0)}"
        sought.conditions.append(f"({moment}, {key}) {sign} ({behind})")
    order = "ASC" if query.ascending else "DESC"
    return (
        f"SELECT {_COLUMNS} FROM {sought.source} WHERE {' AND '.join(sought.conditions)} "
        f"ORDER BY {moment} {order}, {key} {order} "
        f"LIMIT {sought.bind(query.limit)} OFFSET {sought.bind(query.offset)}",
        sought.arguments,
    )
