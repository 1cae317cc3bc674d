"""Lists: filters, order, pages and cursors, on a thread of their own, because they may take long.

Status, operation and dialect have few values. So a tenant's rows are a few dozen runs at most, one for each
combination, and `lists` holds each run in the list's order. Whatever of the three is searched for, a page
is merged from the runs that fit, and of each no more is read than the page takes. A path has an index of
its own for what has ended; for what has not, it is checked in `lists`, without touching the row. So is the
beginning of a path, unless few have it. A tracking id has few rows, and these are looked at
(docs/why/0008-lists.md).

The query is put together from constant parts; what is searched for is always bound. Every part carries
the tenant.
"""

import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from ...core.model import Load, Query, Transaction
from ..codes import DIALECT, FINISHED, STATUS
from . import figures
from .database import Database, wrong
from .reader import read_runs, transactions
from .rows import read_rows
from .turnstile import Turnstile
from .worker import Job

Sought = dict[str, Any]
"""What is searched for, by the name it is bound as."""

Stored = tuple[dict[tuple[str, str], int], int | None]

_CONDITIONS = {
    "tenant": "tenant = :tenant",
    "path": "path = :path",
    "path_prefix": "path >= :path_prefix AND path < :path_end",
    "tracking_id": "tracking_id = :tracking_id",
    "created_from": "created_at >= :created_from",
    "created_to": "created_at <= :created_to",
    "newer": "(created_at, key) > (:newer, :after_key)",
    "older": "(created_at, key) < (:older, :after_key)",
}

_FIELDS = ("status", "operation", "dialect")
"""What the rows of a run have in common, as the query `runs` lists them."""

_INDEXES = {
    "lists": "",
    "trackings": "",
    # Written out, because an index of a part of the rows is used only where that part is named.
    "paths": f" AND status >= {FINISHED}",
}

_SORTED = 20_000
"""Fewer rows whose path begins as it should are collected and sorted; more are met on the way in `lists`."""

_read_keys = msgspec.json.Decoder(list[int])


class Search:
    """Answers find, loads, stored and the looks of figures.py, one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, jobs: list[Job], turnstile: Turnstile) -> None:
        for job in jobs:
            try:
                self._database.run("snapshot")
                try:
                    job.value = self._answer(job)
                finally:
                    self._database.roll_back()
            except Exception as error:
                job.error = wrong(error)

    def _answer(self, job: Job) -> Any:
        match job.kind:
            case "find":
                return self._find(job.what)
            case "stored":
                return self._stored(*job.what)
            case "loads":
                return self._loads()
            case kind:
                return figures.LOOKS[kind](self._database, *job.what)

    def _stored(self, after: int, limit: int) -> Stored:
        rows = self._database.rows("stored", (after, limit))
        return {(row[0], row[1]): row[2] for row in rows}, max((row[3] for row in rows), default=None)

    def _loads(self) -> dict[str, Load]:
        """Reads all that is not finished, in its index: a second or so for ten million."""
        rows = read_rows(self._database.value("loads"))
        return {
            upstream: Load(running=running, queued=unfinished - running)
            for upstream, unfinished, running in rows
        }

    def _find(self, query: Query) -> list[Transaction]:
        sought = _sought(query)
        if query.after_key is not None:
            moment = self._database.value("cursor", (query.after_key,))
            if moment is None:
                return []
            _go_on(sought, query, moment)
        parts = self._parts(sought)
        if not parts:
            return []
        ((keys,),) = self._database.search(_page(parts, ascending=query.ascending), sought)
        order = _read_keys.decode(keys)
        rows = transactions(self._database, order)
        return [rows[key] for key in order]

    def _parts(self, sought: Sought) -> list[str]:
        """The parts to merge: one for each run that fits. What they bind is added to `sought`."""
        common = [condition for name, condition in _CONDITIONS.items() if name in sought]
        given = [f"{field} = :{field}" for field in _FIELDS if field in sought]
        if "tracking_id" in sought:
            return [_part("trackings", [*common, *given])]
        few = "path_prefix" in sought and self._are_few(sought)
        parts = [_part("paths", [*common, *given])] if few else []
        for values in read_runs(self._database, sought["tenant"]):
            run: dict[str, Any] = dict(zip(_FIELDS, values, strict=True))
            ended = run["status"] >= FINISHED
            if (few and ended) or any(sought.get(field, value) != value for field, value in run.items()):
                continue
            own = [f"{field} = :{field}_{len(parts)}" for field in run]
            sought.update((f"{field}_{len(parts)}", value) for field, value in run.items())
            parts.append(_part("paths" if ended and "path" in sought else "lists", [*common, *own]))
        return parts

    def _are_few(self, sought: Sought) -> bool:
        """Whether so few of what has ended have a path that begins like this."""
        beginning = _part("paths", [_CONDITIONS["tenant"], _CONDITIONS["path_prefix"]])
        text = f"SELECT count(*) FROM ({beginning} LIMIT {_SORTED})"
        return bool(self._database.search(text, sought)[0][0] < _SORTED)


def _part(index: str, conditions: Iterable[str]) -> str:
    where = " AND ".join(conditions) + _INDEXES[index]
    return f"SELECT created_at, key FROM transactions INDEXED BY {index} WHERE {where}"


def _page(parts: list[str], *, ascending: bool) -> str:
    """Merges the parts, each in this order; the page's keys as one JSON array: one step of the query."""
    order = "ASC" if ascending else "DESC"
    merged = f"{' UNION ALL '.join(parts)} ORDER BY created_at {order}, key {order}"
    return f"SELECT json_group_array(key) FROM ({merged} LIMIT :limit OFFSET :offset)"


def _sought(query: Query) -> Sought:
    values = msgspec.structs.asdict(query)
    if query.status is not None:
        values["status"] = STATUS[query.status]
    if query.dialect is not None:
        values["dialect"] = DIALECT[query.dialect]
    if query.path_prefix is not None:
        values["path_end"] = query.path_prefix + chr(sys.maxunicode)
    return {name: value for name, value in values.items() if value is not None}


def _go_on(sought: Sought, query: Query, moment: int) -> None:
    """The page goes on behind the row of `after_key`, which was created at `moment`.

    An index is entered at one place: where the cursor is within the range, that is the place.
    """
    sought["newer" if query.ascending else "older"] = moment
    if query.ascending and query.created_from is not None and moment >= query.created_from:
        del sought["created_from"]
    if not query.ascending and query.created_to is not None and moment <= query.created_to:
        del sought["created_to"]
