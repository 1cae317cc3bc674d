"""Endpoints, deliveries and the feed: what the writing thread does with them, and what is read of them.

Deliveries and entries of the feed are written by accepting.py and changing.py, with what they tell of.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from ...core.delivery import Attempt, Delivery, Progress, Sought
from ...core.endpoint import Endpoint
from .. import cursors
from ..codes import STATE, STATES
from ..lookups import Taken
from .database import Database, wrong
from .queries import numbers
from .rows import Row, spelling
from .turnstile import Turnstile
from .worker import Job

_END = 1 << 62
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Endpoint).decode
_json = msgspec.json.Encoder().encode


# -- by whoever has something written


def endpoint_row(endpoint: Endpoint) -> Row:
    return (endpoint.id, endpoint.tenant, endpoint.version, _encode(endpoint))


def progress_rows(progress: Progress) -> tuple[Row, Row | None]:
    """As `settle` takes it."""
    before, after = progress.before, progress.after
    row = (
        STATE[after.state],
        after.tried,
        after.due_at,
        after.ended_at,
        after.code,
        before.number,
        STATE[before.state],
        before.attempt,
    )
    return row, None if progress.attempt is None else spelling.attempt(before.number, progress.attempt)


# -- by the writing thread, or process


def keep_endpoint(database: Database, row: Row) -> bool:
    """`row` is that of `endpoint_row`, and how many there may be."""
    if row[2] == 1:
        return database.run("insert_endpoint", row) == 1
    return database.run("replace_endpoint", row[:4]) == 1


def drop_endpoint(database: Database, row: Row) -> bool:
    """`row` is its id and version."""
    return database.run("delete_endpoint", row) == 1


def post(database: Database, rows: list[Row]) -> None:
    database.many("insert_deliveries", rows)


def take(database: Database, what: tuple[dict[str, int], int, int]) -> list[int]:
    """The numbers of what is lent out from now on."""
    wanted, now, until = what
    taken: list[int] = []
    for lane, limit in wanted.items():
        taken += [row[0] for row in database.rows("take_deliveries", (lane, now, limit, until))]
    return taken


def give_back(database: Database, what: tuple[list[str], int, int]) -> None:
    """Their lanes, until when they are lent out, and now."""
    lanes, until, now = what
    for lane in lanes:
        database.run("give_back_deliveries", (lane, until, now))


def settle(database: Database, what: list[tuple[Row, Row | None]]) -> list[bool]:
    """Of each progress its row, and that of its attempt."""
    settled = []
    for progress, attempt in what:
        done = database.run("settle_delivery", progress) == 1
        if done and attempt is not None:
            database.many("insert_attempts", [attempt])
        settled.append(done)
    return settled


def sweep(database: Database, what: tuple[int, int, int]) -> int:
    deliveries, feed, limit = what
    old = [row[0] for row in database.rows("old_deliveries", (deliveries, limit))]
    _delete(database, old)
    return len(old) + database.run("delete_feed", (feed, limit))


def forget(database: Database, keys: tuple[str]) -> None:
    """Removes what tells of transactions that are forgotten."""
    _delete(database, [row[0] for row in database.rows("deliveries_of", keys)])


def _delete(database: Database, found: list[int]) -> None:
    if found:
        database.run("delete_attempts", (numbers(found),))
        database.run("delete_deliveries", (numbers(found),))


# -- by a reading thread


class OutboxReader:
    """Answers what is asked about webhooks, on a thread of its own: long lists are not to delay a sending."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._works: dict[str, Callable[..., Any]] = {
            "endpoints": endpoints,
            "taken": taken,
            "lane_dues": lane_dues,
            "all_lane_dues": all_lane_dues,
            "look_deliveries": look,
            "deliveries": find,
            "deliveries_about": about,
            "attempts": attempts,
            "feed": feed,
        }

    def run(self, jobs: list[Job], turnstile: Turnstile) -> None:
        for job in jobs:
            try:
                self._database.run("snapshot")
                try:
                    job.value = self._works[job.kind](self._database, *job.what)
                finally:
                    self._database.roll_back()
            except Exception as error:
                job.error = wrong(error)


def endpoints(database: Database) -> list[Endpoint]:
    return [_decode(row[0]) for row in database.rows("endpoints")]


def taken(database: Database, found: Sequence[int]) -> list[Taken]:
    return [(spelling.read_delivery(row), row[17]) for row in database.rows("errands", (numbers(found),))]


def lane_dues(database: Database, lanes: Collection[str]) -> dict[str, int]:
    rows = database.rows("lane_dues", (_json(list(lanes)).decode(),))
    return {lane: due_at for lane, due_at in rows if due_at is not None}


def all_lane_dues(database: Database, after: str, limit: int) -> dict[str, int]:
    return dict(database.rows("all_lane_dues", (after, limit)))


def look(database: Database, ids: Sequence[str]) -> list[Delivery | None]:
    places = _places(database, ids)
    rows = {one.number: one for one, _ in taken(database, [number for number, *_ in places.values()])}
    return [rows[places[id][0]] if id in places else None for id in ids]


def find(database: Database, sought: Sought) -> list[Delivery]:
    """A page of each state, merged."""
    before = (_END, _END)
    if sought.after is not None:
        place = _places(database, [sought.after]).get(sought.after)
        if place is None or place[2] != sought.endpoint:
            raise cursors.unknown()
        before = (place[1], place[0])
    first = 0 if sought.created_from is None else sought.created_from
    last = _END if sought.created_to is None else sought.created_to
    page: list[int] = []
    for state in STATES if sought.state is None else (sought.state,):
        what = (sought.endpoint, STATE[state], first, last, *before, sought.limit)
        page += [row[0] for row in database.rows("delivery_page", what)]
    rows = [one for one, _ in taken(database, page)]
    rows.sort(key=lambda one: (one.created_at, one.number), reverse=True)
    return rows[: sought.limit]


def about(database: Database, key: int, limit: int) -> list[Delivery]:
    found = [row[0] for row in database.rows("deliveries_about", (key, limit))]
    return sorted((one for one, _ in taken(database, found)), key=lambda one: (one.sequence, one.number))


def attempts(database: Database, deliveries: Sequence[int]) -> list[list[Attempt]]:
    logs: dict[int, list[Attempt]] = {number: [] for number in deliveries}
    for row in database.rows("attempts", (numbers(deliveries),)):
        logs[row[0]].append(spelling.read_attempt(row))
    return [logs[number] for number in deliveries]


def feed(database: Database, tenant: str, place: int, limit: int) -> list[Row]:
    """Entries behind this one, as the query gives them."""
    rows: list[Row] = database.rows("feed", (tenant, place, limit))
    if not rows and place > (database.value("feed_end") or 0):
        raise cursors.foreign()
    return rows


def _places(database: Database, ids: Sequence[str]) -> dict[str, tuple[int, int, str]]:
    """Number, moment and endpoint of each id that there is."""
    spelled = [id for id in ids if len(id) == 32 and set(id) <= _HEX]
    rows: list[Any] = database.rows("delivery_numbers", (_json(spelled).decode(),))
    return {row[1]: (row[0], row[2], row[3]) for row in rows}


_HEX = frozenset("0123456789abcdef")
