"""Who waits for which transaction to go on, woken in process by whoever applies a change.

A watch is entered before the first look at the store, so that no change falls between the two. It is an
entry in a table, a future and a timer: no task of its own, and no query until somebody wakes it.
"""

import asyncio
from collections.abc import KeysView
from types import TracebackType

from ..core.machine import TERMINAL
from ..core.model import Transaction
from ..ports import Clock


class Waiting:
    """All watches of a process, by the id they are about."""

    def __init__(self, clock: Clock) -> None:
        self.ended = False  # the process drains: nobody is made to wait any more
        self._clock = clock
        self._watches: dict[str, set[Watch]] = {}

    def __len__(self) -> int:
        """How many watches there are."""
        return sum(map(len, self._watches.values()))

    @property
    def watched(self) -> KeysView[str]:
        """The ids that somebody waits for."""
        return self._watches.keys()

    def watch(self, id: str) -> "Watch":
        """A watch on one transaction; it lasts as long as its `with` block."""
        return Watch(self, self._clock, id)

    def tell(self, transaction: Transaction) -> None:
        """It stands like this now."""
        for watch in self._watches.get(transaction.id, ()):
            watch.tell(transaction)

    def end(self) -> None:
        """Lets everybody go, from now on at once."""
        self.ended = True
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()

    def enter(self, watch: "Watch") -> None:
        self._watches.setdefault(watch.id, set()).add(watch)

    def leave(self, watch: "Watch") -> None:
        watches = self._watches[watch.id]
        watches.discard(watch)
        if not watches:
            del self._watches[watch.id]


class Watch:
    """`known` is how the transaction stood when it was last told of; its sequence only grows."""

    __slots__ = ("_after", "_clock", "_future", "_waiting", "id", "known")

    def __init__(self, waiting: Waiting, clock: Clock, id: str) -> None:
        self.id = id
        self.known: Transaction | None = None
        self._waiting = waiting
        self._clock = clock
        self._after: int | None = None
        self._future: asyncio.Future[None] | None = None

    def __enter__(self) -> "Watch":
        self._waiting.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.leave(self)

    def tell(self, transaction: Transaction) -> None:
        if self.known is None or transaction.sequence > self.known.sequence:
            self.known = transaction
            if self._is_news():
                self.wake()

    async def until(self, moment: int, *, after: int | None = None) -> bool:
        """Until it is terminal or, with `after`, has an event with a greater sequence; else until `moment`.

        False: there is no such news, the time is up or the process drains.
        """
        self._after = after
        if self._is_news() or self._waiting.ended:
            return self._is_news()
        self._future = asyncio.get_running_loop().create_future()
        timer = self._clock.call_at(moment, self.wake)
        try:
            await self._future
        finally:
            timer.cancel()
            self._future = None
        return self._is_news()

    def wake(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def _is_news(self) -> bool:
        if self.known is None:
            return False
        return self.known.status in TERMINAL or (
            self._after is not None and self.known.sequence > self._after
        )
