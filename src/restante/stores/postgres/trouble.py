"""What an error of the driver means: lost, passing, or about a row. Nothing raw goes further than this.

*Lost* is the one that matters: the connection broke, or nothing came in time, and nobody knows whether what
was asked was done. A write that is lost is neither refused nor confirmed before that has been found out.
"""

from enum import Enum

import asyncpg

from ...core.errors import RestanteError, StoreUnavailable

RETRY_SECONDS = 2
"""What callers are told to wait. A server is restarted or replaced in about that time."""


class Lost(Exception):
    """Nobody knows whether it was done."""


class Homeless(RestanteError):
    """Surely not done: there is no partition yet for one of the rows."""


class Meaning(Enum):
    HOMELESS = "homeless"
    LOST = "lost"
    PASSING = "passing"  # surely not done, and may be done later: disk full, too many connections, a timeout
    AGAIN = "again"  # surely not done, and to be tried again at once
    ELSEWHERE = "elsewhere"  # surely not done, this server takes no writes (any more)
    ROW = "row"  # surely not done, and never will be


_BROKEN = ("08", "57P01", "57P02", "57P03", "57P04", "57P05")
_AGAIN = ("40001", "40P01")
_ELSEWHERE = ("25006",)
_PASSING = ("53", "55P03", "57014", "58", "25P0", "28", "3D000", "42501", "XX")


def meaning(error: BaseException) -> Meaning:
    """What to make of an error that a statement ended with."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if isinstance(error, asyncpg.CheckViolationError) and error.constraint_name is None:
            return Meaning.HOMELESS
        if isinstance(error, asyncpg.UndefinedTableError):
            return Meaning.HOMELESS
        for states, what in (
            (_BROKEN, Meaning.LOST),
            (_AGAIN, Meaning.AGAIN),
            (_ELSEWHERE, Meaning.ELSEWHERE),
            (_PASSING, Meaning.PASSING),
        ):
            if state.startswith(states):
                return what
        return Meaning.ROW
    if isinstance(error, (ValueError, TypeError, OverflowError)):
        return Meaning.ROW  # it could not even be spelled for the server
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)):
        return Meaning.LOST
    return Meaning.ROW


def unavailable(error: BaseException | None = None) -> StoreUnavailable:
    """The refusal that callers see while the database cannot be used."""
    refused = StoreUnavailable(
        "The store cannot be written or read at the moment.", retry_after_seconds=RETRY_SECONDS
    )
    refused.__cause__ = error
    return refused


def wrong(error: BaseException) -> RestanteError:
    """An error as the store's callers see it."""
    if isinstance(error, RestanteError):
        return error
    if isinstance(error, Lost) or meaning(error) is not Meaning.ROW:
        return unavailable(error)
    refused = RestanteError("the store could not keep or find this")
    refused.__cause__ = error
    return refused
