"""Results that somebody waits for, from their commit to that reader: the store need not be asked for them.

What is written once never changes, so it is the same that the store has; whether it may still be read is
decided where it is asked for.
"""

from collections import OrderedDict

from ..core.model import Result

FRESH = 256
"""Results that are kept. Of more, the oldest are asked of the store."""

FRESH_BODY = 8 * 1024
"""Bytes of a body that is kept."""


class Fresh:
    """By row key."""

    def __init__(self) -> None:
        self._results: OrderedDict[int, Result] = OrderedDict()

    def keep(self, key: int, result: Result) -> None:
        """It was written, and somebody waits for it."""
        if result.body.inline is not None and result.body.size <= FRESH_BODY:
            self._results[key] = result
            if len(self._results) > FRESH:
                self._results.popitem(last=False)

    def take(self, key: int) -> Result | None:
        """For the first who asks."""
        return self._results.pop(key, None)
