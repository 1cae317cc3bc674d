"""What is still there, and for how long.

A result and its task handle live `retention` from the moment the task was created, to the
microsecond, whether or not anything has been swept (seed 000, "Availability of the result").
The transaction and its events live `history`.
"""

from .machine import TERMINAL
from .model import Transaction
from .policy import Limits
from .status import Outcome, Reading, Status


def expired(transaction: Transaction, now: int) -> bool:
    """Whether the result is past its retention. What is not finished never is."""
    return transaction.status in TERMINAL and now >= transaction.expires_at


def forgotten_at(transaction: Transaction, limits: Limits) -> int:
    """When the transaction itself goes."""
    return max(transaction.expires_at, transaction.created_at + limits.history)


def read_once(transaction: Transaction) -> bool:
    """Whether this transaction's answer is handed out once only: every error is, a 2xx never."""
    return transaction.status is Status.FAILED


def gone(transaction: Transaction, now: int) -> bool:
    """Whether the task dialect says `unknown`: past retention, or an error that has been read."""
    return expired(transaction, now) or (read_once(transaction) and transaction.reading is Reading.READ)


def has_result(transaction: Transaction, now: int) -> bool:
    """Whether the upstream's answer is still kept."""
    return transaction.outcome is Outcome.ANSWERED and not expired(transaction, now)
