"""The life of a transaction, as one table.

`TABLE[status][move]` is the status a move leads to; a move that is not in its row may not be made.
Everything else about a transaction's life is derived from this table: which statuses are terminal,
the diagram in the docs, the tests over all pairs. Nothing leads back to `pending`, and nothing leads
out of a terminal status (seed 004: "no further status updates will occur").
"""

from enum import StrEnum

from .errors import MoveRefused
from .status import Status


class Move(StrEnum):
    """What can be done to a transaction that is already accepted."""

    BEGIN = "begin"  # an attempt starts
    DELAY = "delay"  # the attempt is over, another one will follow
    INFO = "info"  # something worth telling happened
    COMPLETE = "complete"
    FAIL = "fail"
    EXPIRE = "expire"  # the deadline passed
    CANCEL = "cancel"


TABLE: dict[Status, dict[Move, Status]] = {
    Status.PENDING: {
        Move.BEGIN: Status.PROCESSING,
        Move.EXPIRE: Status.FAILED,
        Move.CANCEL: Status.CANCELLED,
    },
    Status.PROCESSING: {
        Move.BEGIN: Status.PROCESSING,
        Move.DELAY: Status.PROCESSING,
        Move.INFO: Status.PROCESSING,
        Move.COMPLETE: Status.COMPLETED,
        Move.FAIL: Status.FAILED,
        Move.EXPIRE: Status.FAILED,
        Move.CANCEL: Status.CANCELLED,
    },
    Status.COMPLETED: {},
    Status.FAILED: {},
    Status.CANCELLED: {},
}

TERMINAL: frozenset[Status] = frozenset(status for status, moves in TABLE.items() if not moves)


def advance(status: Status, move: Move) -> Status:
    """The status that `move` leads to; raises `MoveRefused` where the table has no such entry."""
    try:
        return TABLE[status][move]
    except KeyError:
        raise MoveRefused(status, move) from None
