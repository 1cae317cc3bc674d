"""Lists: filters, order, pages and cursors.

The query is put together from constant parts; what is searched for is always bound. Every query carries
the tenant. Each filter that people use has an index in the list's order, and the server's statistics tell
which has the fewest rows. What has ended and what has not are listed from tables of their own, because a
status changes and an index on it would have every change written into every index.
"""

from typing import Any

from ...core.model import Query, Transaction
from ..codes import DIALECT, FINISHED, STATUS
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


class Sought:
    """A query as text and arguments."""

    def __init__(self, query: Query) -> None:
        self.arguments: list[Any] = []
        self.conditions: list[str] = []
        self.source = "restante.transactions AS t"
        self.place = "t"  # the table whose order the list has
        if query.status is not None:
            self._of_status(STATUS[query.status])
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

    def _of_status(self, status: int) -> None:
        table = "endings" if status >= FINISHED else "ready"
        self.place = "p"
        self.source = (
            f"restante.{table} AS p JOIN restante.transactions AS t "
            "ON t.key = p.key AND t.tenant = p.tenant AND t.created_at = p.created_at"
        )
        place = "p" if status >= FINISHED else "t"
        self.conditions.append(f"{place}.status = {self.bind(status)}")


async def find(database: Database, query: Query) -> list[Transaction]:
    """One page."""
    sought = Sought(query)
    moment = "t.updated_at" if query.by_updated else f"{sought.place}.created_at"
    key = f"{sought.place}.key"
    if query.after_key is not None:
        places = await database.rows("cursor", query.after_key, text(query.tenant), again=True)
        if not places:
            return []
        after = sought.bind(places[0][query.by_updated]), sought.bind(query.after_key)
        sign = ">" if query.ascending else "<"
        sought.conditions.append(f"({moment}, {key}) {sign} ({', '.join(after)})")
    order = "ASC" if query.ascending else "DESC"
    rows = await database.search(
        f"SELECT {_COLUMNS} FROM {sought.source} WHERE {' AND '.join(sought.conditions)} "
        f"ORDER BY {moment} {order}, {key} {order} "
        f"LIMIT {sought.bind(query.limit)} OFFSET {sought.bind(query.offset)}",
        *sought.arguments,
    )
    return [read_transaction(row) for row in rows]
