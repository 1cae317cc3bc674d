"""Lists: filters, order, pages and cursors, on a thread of their own, because they may take long.

The query is put together from constant parts; what is searched for is always bound. Every query
carries the tenant. Each filter that people use has an index in the list's order; of several, the one with
the fewest rows is walked and the others are checked on the way. How many rows a filter has is counted, up
to a bound, because it changes with every upstream that fails. What is not finished has no such index, it
would be moved about too often: it is collected from `turns` and sorted, or, where a lot of it waits, met soon
enough by walking the newest.
"""

from typing import Any

import msgspec

from ...core.model import Query, Transaction
from ...core.status import Status
from .database import Database, wrong
from .reader import transactions
from .rows import DIALECT, FINISHED, STATUS
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

_INDEXES = {"tracking_id": "trackings", "status": "endings", "path": "paths", "operation": "operations"}
"""The index of a filter; where several are as good, the first."""

_EVERYTHING = "lists"
_UNFINISHED = "turns"
_SORTED = 20_000
"""So many that wait are collected and sorted."""

_BOUNDS = (1_000, 20_000)
"""Counted up to these, one after the other, until one of the filters has fewer."""


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
        sought = _sought(query)
        if query.after_key is not None:
            place = self._database.rows("cursor", (query.after_key, query.tenant))
            if not place:
                return []
            _go_on(sought, query, place[0][query.by_updated])
        keys = [row[0] for row in self._database.search(_text(sought, self._index(sought)), sought.values)]
        found = transactions(self._database, keys)
        return [found[key] for key in keys]

    def _index(self, sought: "Sought") -> str:
        """The index to walk."""
        filters = [filter for filter in _INDEXES if filter in sought.conditions]
        if "tracking_id" not in filters and sought.values.get("status", FINISHED) < FINISHED:
            if self._are_few(sought):
                return _UNFINISHED
            filters.remove("status")
        if len(filters) < 2 or "tracking_id" in filters:
            return _INDEXES[filters[0]] if filters else _EVERYTHING
        for bound in _BOUNDS:
            counts = {
                filter: self._count(sought.entered_by(filter), sought.values, _INDEXES[filter], bound)
                for filter in filters
            }
            fewest = min(filters, key=counts.__getitem__)
            if counts[fewest] < bound:
                return _INDEXES[fewest]
        return _INDEXES[filters[0]]

    def _are_few(self, sought: "Sought") -> bool:
        """Whether so few are not finished in this way that they can be sorted. Those under way always are."""
        if sought.values["status"] == STATUS[Status.PROCESSING]:
            return True
        return self._count([sought.conditions["status"]], sought.values, _UNFINISHED, _SORTED) < _SORTED

    def _count(self, conditions: list[str], values: dict[str, Any], index: str, bound: int) -> int:
        """How many rows of an index fit, at most `bound`."""
        text = (
            f"SELECT count(*) FROM (SELECT 1 FROM transactions INDEXED BY {index} "
            f"WHERE {' AND '.join(conditions)} LIMIT :bound)"
        )
        return int(self._database.search(text, {**values, "bound": bound})[0][0])


class Sought(msgspec.Struct):
    """A query as parts of SQL, by the filter they are for, and what is bound."""

    conditions: dict[str, str]
    values: dict[str, Any]
    order: str

    def entered_by(self, filter: str) -> list[str]:
        """The conditions that a filter's index is entered with."""
        names = ("tenant", filter, "created_from", "created_to", "cursor")
        return [self.conditions[name] for name in names if name in self.conditions]


def _sought(query: Query) -> Sought:
    values: dict[str, Any] = {"tenant": query.tenant, "limit": query.limit, "offset": query.offset}
    conditions = {"tenant": "tenant = :tenant"}
    for field, condition in _CONDITIONS.items():
        value = getattr(query, field)
        if value is not None:
            conditions[field] = condition
            values[field] = value
    if query.dialect is not None:
        values["dialect"] = DIALECT[query.dialect]
    if query.status is not None:
        number = values["status"] = STATUS[query.status]
        # Written out, because an index of a part of the rows is used only where that part is named.
        conditions["status"] += f" AND status {'<' if number < FINISHED else '>='} {FINISHED}"
    moment = "updated_at" if query.by_updated else "created_at"
    order = "ASC" if query.ascending else "DESC"
    return Sought(conditions, values, f"{moment} {order}, key {order}")


def _go_on(sought: Sought, query: Query, moment: int) -> None:
    """The page goes on behind the row of `after_key`."""
    column = "updated_at" if query.by_updated else "created_at"
    sought.conditions["cursor"] = f"({column}, key) {'>' if query.ascending else '<'} (:moment, :after_key)"
    sought.values |= {"moment": moment, "after_key": query.after_key}
    if query.by_updated:
        return
    # An index is entered at one place: where the cursor is within the range, that is the place.
    if query.ascending and query.created_from is not None and moment >= query.created_from:
        del sought.conditions["created_from"]
    if not query.ascending and query.created_to is not None and moment <= query.created_to:
        del sought.conditions["created_to"]


def _text(sought: Sought, index: str) -> str:
    return (
        f"SELECT key FROM transactions INDEXED BY {index} WHERE {' AND '.join(sought.conditions.values())} "
        f"ORDER BY {sought.order} LIMIT :limit OFFSET :offset"
    )
