"""Lists: filters, order, pages and cursors, on a thread of their own, because they may take long.

The query is put together from constant parts; what is searched for is always bound. Every query
carries the tenant.
"""

from typing import Any

from ...core.model import Query, Transaction
from .database import Database, wrong
from .reader import transactions
from .rows import DIALECT, STATUS
from .turnstile import Turnstile
from .worker import Job

_CONDITIONS = {
    "dialect": "dialect = :dialect",
    "status": "status = :status",
    "operation": "operation = :operation",
    "path": "path = :path",
    "path_prefix": "substr(path, 1, length(:path_prefix)) = :path_prefix",
    "tracking_id": "tracking_id = :tracking_id",
    "created_from": "created_at >= :created_from",
    "created_to": "created_at <= :created_to",
}


class Search:
    """Answers find, one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, jobs: list[Job], turnstile: Turnstile) -> None:
        for job in jobs:
            try:
                self._database.run("snapshot")
                try:
                    job.value = self._find(job.what)
                finally:
                    self._database.roll_back()
            except Exception as error:
                job.error = wrong(error)

    def _find(self, query: Query) -> list[Transaction]:
        values: dict[str, Any] = {"tenant": query.tenant, "limit": query.limit, "offset": query.offset}
        conditions = ["tenant = :tenant"]
        for field, condition in _CONDITIONS.items():
            value = getattr(query, field)
            if value is not None:
                conditions.append(condition)
                values[field] = value
        if query.dialect is not None:
            values["dialect"] = DIALECT[query.dialect]
        if query.status is not None:
            values["status"] = STATUS[query.status]
        moment = "updated_at" if query.by_updated else "created_at"
        if query.after_key is not None:
            place = self._database.rows("cursor", (query.after_key, query.tenant))
            if not place:
                return []
            conditions.append(f"({moment}, key) {'>' if query.ascending else '<'} (:moment, :after_key)")
            values["moment"] = place[0][query.by_updated]
            values["after_key"] = query.after_key
        order = "ASC" if query.ascending else "DESC"
        text = (
            f"SELECT key FROM transactions WHERE {' AND '.join(conditions)} "
            f"ORDER BY {moment} {order}, key {order} LIMIT :limit OFFSET :offset"
        )
        keys = [row[0] for row in self._database.search(text, values)]
        found = transactions(self._database, keys)
        return [found[key] for key in keys]
