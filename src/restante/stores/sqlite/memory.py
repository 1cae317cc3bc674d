"""What the store knows without asking the disk: who is held, how many are not finished, the next key."""

from collections.abc import Iterable

from ..queued import Queued


class Memory:
    """Shared by the event loop and a thread; each operation on it is one atomic step."""

    def __init__(self, *, queued: Queued, next_key: int) -> None:
        self.queued = queued  # changed by the event loop only
        self.held: set[int] = set()
        self._next_key = next_key

    def reserve(self, count: int) -> range:
        first = self._next_key
        self._next_key += count
        return range(first, first + count)

    def hold(self, keys: Iterable[int]) -> None:
        self.held.update(keys)

    def let_go(self, keys: Iterable[int]) -> None:
        self.held.difference_update(keys)
