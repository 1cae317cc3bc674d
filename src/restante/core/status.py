"""The words of a transaction's life: status, outcome, phase, event kind, reading.

They are the contract's words and are spelled the same in code, SQL, wire and docs. The integers
behind `Phase` and `Reading` are what the stores keep; they are never reused for something else.
"""

from enum import IntEnum, StrEnum


class Status(StrEnum):
    """Where a transaction stands (seed 004, "When is a Transaction Finished?")."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How a finished transaction's work ended, beside its status."""

    ANSWERED = "answered"  # the upstream gave a complete answer, whatever its code
    UNREACHABLE = "unreachable"  # no connection was made; the upstream saw nothing
    TIMED_OUT = "timed_out"  # sent, and no complete answer within the upstream's timeout
    INTERRUPTED = "interrupted"  # perhaps sent, and no complete answer: crash, hang-up, broken answer
    EXPIRED = "expired"  # the deadline passed first


class Phase(IntEnum):
    """What a transaction that is not finished is doing. Finished ones are WAITING for nothing."""

    WAITING = 0  # for its turn, or for its next attempt
    SENDING = 1  # an attempt carries a durable mark: it may be on the wire
    DEFERRED = 2  # the upstream took it and will report the end
    LOOKING = 3  # perhaps done: the route's look-up will tell


class EventKind(StrEnum):
    """The kinds of entries of the event log (seed 004)."""

    TRANSITION = "transition"
    FAILURE = "failure"
    INFO = "info"
    DELAY = "delay"


class Reading(IntEnum):
    """Whether a result that may be read once has been read."""

    UNREAD = 0
    RESERVED = 1  # a reader is being served right now
    READ = 2


class Dialect(StrEnum):
    """How a transaction is spelled on the wire."""

    TASK = "task"  # seed 000
    TRANSACTION = "transaction"  # seed 004
    PREFER = "prefer"  # RFC 7240


class Interrupted(StrEnum):
    """What a route wants done with an attempt that may have been sent and has no complete answer."""

    FAIL = "fail"
    RETRY = "retry"
    RECONCILE = "reconcile"
