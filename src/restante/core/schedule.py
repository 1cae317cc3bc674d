"""When the next attempt is made."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from .clock import SECOND
from .policy import Retry

LONGEST_ASKED = 1_000_000_000 * SECOND
"""A `Retry-After` in seconds beyond this, however many digits it has, is taken for this."""

_MOST_DIGITS = 10
_DOUBLINGS = 40  # beyond this the cap has long been reached


def next_attempt(
    retry: Retry, *, attempt: int, now: int, chance: float, retry_after: int | None = None
) -> int | None:
    """The moment of the attempt after `attempt` (1 is the first), or None when the tries are spent.

    The backoff doubles from `retry.backoff` to `retry.max_backoff`, and `chance` in [0, 1) spreads it
    over its upper half, so that many failures at once do not come back at once. An upstream's
    `Retry-After` (a span in microseconds) is never undercut.
    """
    if attempt >= retry.attempts:
        return None
    ceiling = min(retry.max_backoff, retry.backoff << min(attempt - 1, _DOUBLINGS))
    spread = ceiling // 2 + int(chance * (ceiling - ceiling // 2))
    return now + max(spread, retry_after or 0)


def retry_after(raw: bytes | None, now: int) -> int | None:
    """The span that an upstream's `Retry-After` asks for (RFC 9110 §10.2.3), None where it asks nothing.

    Both forms are read, seconds and date; what cannot be read is as if it was not there.
    """
    if raw is None:
        return None
    text = raw.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0") or "0"
        return int(digits) * SECOND if len(digits) < _MOST_DIGITS else LONGEST_ASKED
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, int(moment.timestamp()) * SECOND - now)
