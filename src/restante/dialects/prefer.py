"""Dialect `prefer` (RFC 7240): what a submit with `Prefer: respond-async` is answered.

`ending` is total over status × outcome × past retention. Whether an answer was read does not matter here: the
native URL that the caller is given never uses one up.
"""

from enum import StrEnum

from ..core.machine import TERMINAL
from ..core.model import Transaction
from ..core.retention import expired
from ..core.status import Outcome, Status


class Ending(StrEnum):
    """What a caller that waited is told."""

    LATER = "later"  # the 202: it runs, was cancelled, or is past its retention
    ANSWERED = "answered"  # the upstream's own answer, verbatim
    BROKEN = "broken"  # the work itself broke


def ending(transaction: Transaction, now: int) -> Ending:
    """How it ended, as far as a caller that waited is concerned."""
    if transaction.status not in TERMINAL or expired(transaction, now):
        return Ending.LATER
    if transaction.status is Status.CANCELLED:
        return Ending.LATER
    return Ending.ANSWERED if transaction.outcome is Outcome.ANSWERED else Ending.BROKEN


def transaction_url(origin: str, id: str) -> str:
    """Where the native API shows it."""
    return f"{origin}/-/transactions/{id}"
