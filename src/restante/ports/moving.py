"""The promises of a store that is moved out of, and of one that is moved into."""

from collections.abc import Iterator, Sequence, Set
from typing import Protocol

from ..core.access import AccessKey
from ..core.delivery import Attempt, Delivery
from ..core.endpoint import Endpoint
from ..core.feed import Kept
from ..core.model import Event, Record, Transaction


class Departure(Protocol):
    """A store that nobody serves, read from its first transaction to its last. It is left as it was.

    What was being sent is told as lapsed, what was being read as unread: as after a crash.
    """

    @property
    def secret(self) -> bytes: ...

    @property
    def sealing(self) -> bytes | None:
        """The mark of whoever seals what is kept (`Store.sealing`)."""
        ...

    @property
    def last_key(self) -> int:
        """The largest row key that anything is kept under; 0 where there is nothing."""
        ...

    @property
    def count(self) -> int:
        """How many transactions there are."""
        ...

    @property
    def paused(self) -> Set[str]:
        """The upstreams that are paused."""
        ...

    def access_keys(self, after: str | None) -> list[AccessKey]:
        """Some behind the id `after`, the newest first; none where there are no more."""
        ...

    def records(self) -> Iterator[list[Record]]:
        """All of them by key, so many at a time as fit into memory."""
        ...

    def events(self, key: int, after: int) -> list[Event]:
        """Some events behind sequence `after`, in order; none where there are no more."""
        ...

    def piece(self, key: int, attempt: int, position: int) -> bytes | None: ...

    def endpoints(self) -> list[Endpoint]: ...

    def deliveries(self, after: int) -> list[tuple[Delivery, list[Attempt]]]:
        """Some with numbers over `after`, in order, with their attempts; none where there are no more."""
        ...

    def feed(self, after: int) -> list[Kept]:
        """Some entries with numbers over `after`, in order; none where there are no more."""
        ...

    def close(self) -> None: ...


class Arrival(Protocol):
    """A store that was never used and takes over another one: wholly, once `finish` returns, or not at all.

    Raises `SettingError`; then, and where it is closed before, it is as unused as it was.
    """

    async def take_pieces(self, pieces: Sequence[tuple[int, int, int, bytes]]) -> None:
        """Pieces of bodies (key, attempt, position, data), before the record that they belong to."""
        ...

    async def take(self, records: Sequence[Record]) -> None: ...

    async def take_events(self, transaction: Transaction, events: Sequence[Event]) -> None:
        """More events of a transaction that was taken."""
        ...

    async def take_endpoints(self, endpoints: Sequence[Endpoint]) -> None: ...

    async def take_deliveries(self, deliveries: Sequence[tuple[Delivery, list[Attempt]]]) -> None:
        """In the order of their numbers."""
        ...

    async def take_feed(self, entries: Sequence[Kept]) -> None:
        """In the order of their numbers. Cursors of the former store go on meaning the same."""
        ...

    async def take_access_keys(self, keys: Sequence[AccessKey]) -> None: ...

    async def finish(
        self, *, secret: bytes, last_key: int, paused: Set[str], sealing: bytes | None = None
    ) -> None:
        """Commits. From then on ids made with `secret` are good here, keys go on behind `last_key`, these
        upstreams are paused, and what was sealed is opened with the same keys."""
        ...

    async def close(self) -> None: ...
