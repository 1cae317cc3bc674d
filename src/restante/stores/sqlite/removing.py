"""Bodies in pieces, and everything that goes.

A body in pieces is `loose` until the commit that refers to it, and again from the commit that ends that.
Only loose ones are dropped, a few pieces per commit; those that a crash left behind are dropped at the
next start.
"""

from . import outbox
from .database import Database
from .queries import numbers

PIECES = 16
"""Pieces dropped per commit."""

Keys = list[int]
Sweeps = list[tuple[int, int]]  # key, sweep_at


def write_chunk(database: Database, what: tuple[int, int, int, bytes]) -> None:
    """One piece of a body that nothing refers to yet."""
    key, attempt, position, data = what
    database.run("insert_loose", (key, attempt))
    database.run("insert_chunk", (key, attempt, position, data))


def drop_pieces(database: Database, what: tuple[int, int]) -> bool:
    """Some pieces of a loose body; False when none are left (or something refers to it)."""
    if not database.value("is_loose", what):
        return False
    if database.run("delete_pieces", (*what, PIECES)) == PIECES:
        return True
    database.run("delete_loose", what)
    return False


def purge(database: Database, what: tuple[Sweeps, Keys]) -> list[tuple[int, int]]:
    """Removes requests, results and idempotency keys of the first, everything of the second.

    Returns the bodies that are loose from now on, still to be dropped.
    """
    sweeps, forget = what
    database.many("move_sweeps", sweeps)
    keys = (numbers([key for key, _ in sweeps] + forget),)
    database.run("delete_idempotency", keys)
    database.run("loosen_bodies", keys)
    database.run("delete_requests", keys)
    database.run("delete_results", keys)
    if forget:
        gone = (numbers(forget),)
        database.run("delete_events", gone)
        outbox.forget(database, gone)
        database.run("delete_transactions", gone)
    return [(row[0], row[1]) for row in database.rows("loose_bodies_of", keys)]
