"""When the next attempt is made."""

from .policy import Retry

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
