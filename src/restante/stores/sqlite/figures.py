"""Figures: counted on the searching thread, which may take long, and added by the writing one.

What is added goes into one commit with the place up to which the feed was counted, so that each entry counts
once, whatever happens in between.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from ...core.access import EVERYBODY
from ...core.figures import HOURS, MINUTES, Figure, Standing
from ...core.model import Transaction
from ...core.status import Status
from ..codes import STATUS
from .database import Database
from .reader import read_runs, transactions
from .rows import Row

Counting = tuple[int, int, list[Row]]
"""From which place to which, and what is to be added."""

TENANTS = 1000
"""Tenants whose lines are counted for everybody's sum, the first by name."""

_Told = tuple[str, int, str, int, int]
_read_told = msgspec.json.Decoder(list[_Told]).decode
_read_figures = msgspec.json.Decoder(list[Figure]).decode
_read_tenants = msgspec.json.Decoder(list[tuple[str, int]]).decode
_read_places = msgspec.json.Decoder(list[tuple[int, int]]).decode


# -- by the searching thread


def count(database: Database, limit: int) -> tuple[int, Counting]:
    """How many entries there are to count now, and what they come to."""
    place = database.value("counted")
    ((last, entries),) = database.rows("feed_places", (place, limit))
    if not entries:
        return 0, (place, place, [])
    sums: Counter[tuple[str, int, int, str, int]] = Counter()
    for tenant, minute, upstream, what, much in _read_told(database.value("new_figures", (place, last))):
        for whose in (tenant, EVERYBODY):
            sums[whose, MINUTES, minute, upstream, what] += much
            sums[whose, HOURS, minute - minute % HOURS, upstream, what] += much
    return entries, (place, last, [(*figure, much) for figure, much in sums.items()])


def sums(database: Database, tenant: str, minutes: int, first: int, places: int, width: int) -> list[Figure]:
    return _read_figures(database.value("figures", (tenant, minutes, first, places, width)))


def pending(database: Database, tenant: str, first: int, width: int) -> dict[int, int]:
    sums: Counter[int] = Counter()
    for whose in _tenants(database) if tenant == EVERYBODY else [tenant]:
        for status, operation, dialect in read_runs(database, whose):
            if status == STATUS[Status.PENDING]:
                run = (whose, first, width, operation, dialect)
                for place, much in _read_places(database.value("pending_figures", run)):
                    sums[place] += much
    return dict(sums)


def _tenants(database: Database) -> list[str]:
    """All there are, by index steps."""
    found: list[str] = []
    after = ""
    while len(found) < TENANTS:
        after = database.value("next_tenant", (after,))
        if after is None:
            break
        found.append(after)
    return found


def tenants(database: Database, first: int, limit: int) -> list[tuple[str, int]]:
    return _read_tenants(database.value("counted_tenants", (first, limit)))


def standing(database: Database, transaction: Transaction, limit: int) -> Standing:
    t = transaction
    before = (t.upstream, t.tenant, t.priority, t.due_at or 0, t.key, limit)
    return Standing(database.value("ahead", before), database.value("tenants_in_line", (t.upstream, limit)))


def with_code(
    database: Database, tenant: str, code: str, before: int | None, limit: int
) -> tuple[list[Transaction], int | None]:
    end = before if before is not None else (database.value("newest_key") or 0) + 1
    begin = max(end - limit, 0)
    rows = database.rows("with_code", (begin, end, bytes.fromhex(code), tenant))
    found = transactions(database, [row[0] for row in rows])
    return [found[row[0]] for row in rows], begin or None


LOOKS: dict[str, Callable[..., Any]] = {
    "count_figures": count,
    "figures": sums,
    "pending_figures": pending,
    "counted_tenants": tenants,
    "standing": standing,
    "with_code": with_code,
}


# -- by the writing thread, or process


def add(database: Database, what: Counting) -> bool:
    """False: somebody has counted these meanwhile."""
    before, after, rows = what
    if database.run("move_counted", (before, after)) != 1:
        return False
    database.many("add_figures", rows)
    return True


def sweep(database: Database, what: tuple[int, int, int]) -> int:
    minutes, hours, limit = what
    return database.run("sweep_figures", (MINUTES, minutes, limit)) + database.run(
        "sweep_figures", (HOURS, hours, limit)
    )
