"""What is the matter with the database: said once when it begins, and once when it is over.

Callers are told that the store takes nothing, and no more; whoever operates it needs the reason.
"""

import asyncio
import logging

import asyncpg

FULL_SECONDS = 10.0
"""How long after it refused something for want of room the disk counts as full. Then new work is let in
again, and shows whether it still is."""

log = logging.getLogger("restante.stores")

_REASONS = (
    ("53100", "its disk is full"),
    ("53200", "it has no memory left"),
    ("53300", "it has too many connections (max_connections)"),
    ("53", "it has not enough resources"),
    ("42501", "this role lacks a privilege"),
    ("25006", "it takes no writes: a standby, or default_transaction_read_only"),
    ("57014", "a statement took too long"),
    ("55P03", "a lock was waited for too long"),
    ("58", "its system has failed, see its own log"),
    ("XX", "its data are damaged, see its own log"),
)

UNCONFIRMED = "no standby confirms commits (synchronous_standby_names)"
SILENT = "it does not answer in time"


class Condition:
    """One per store."""

    def __init__(self) -> None:
        self._reason: str | None = None
        self._full_at: float | None = None

    @property
    def full(self) -> bool:
        """Whether its disk was full a moment ago, and nothing has been written since."""
        if self._full_at is None:
            return False
        return asyncio.get_running_loop().time() < self._full_at + FULL_SECONDS

    def failed(self, error: BaseException) -> None:
        """A statement ended so."""
        if isinstance(error, asyncpg.DiskFullError):
            self._full_at = asyncio.get_running_loop().time()
        reason = _reason_of(error)
        if reason is not None:
            self.trouble(reason)

    def trouble(self, reason: str) -> None:
        """It is this."""
        if reason != self._reason:
            self._reason = reason
            log.error("the database does not take what is to be written: %s", reason)

    def written(self) -> None:
        """New work was written: whoever takes that takes all there is."""
        if self._reason is not None:
            self._reason = self._full_at = None
            log.warning("the database takes what is to be written again")


def _reason_of(error: BaseException) -> str | None:
    """Nothing of the error's own text. None: that is said elsewhere, or it is about one row."""
    if isinstance(error, TimeoutError):
        return SILENT
    state = getattr(error, "sqlstate", None) or ""
    return next((reason for begin, reason in _REASONS if state.startswith(begin)), None)
