"""What a store promises about webhooks: endpoints, deliveries, the feed. Part of `Store`.

Deliveries come into it with the submissions and changes whose events they tell of; here is what happens to
them from then on.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from ..core.delivery import Attempt, Delivery, Progress, Sought
from ..core.endpoint import Endpoint
from ..core.feed import Entry
from ..core.outbox import Errand


class Outbox(Protocol):
    async def endpoints(self) -> list[Endpoint]:
        """All there are, of all tenants, in the order in which they were made."""
        ...

    async def keep_endpoint(self, endpoint: Endpoint, *, most: int) -> bool:
        """Writes a new one (`version` 1), or one in place of the version before it.

        False, and nothing written: somebody was faster, or the tenant has `most` already.
        """
        ...

    async def drop_endpoint(self, endpoint: Endpoint) -> bool:
        """Removes it, where it is still of this version. What waits for it is given up by whoever takes
        it."""
        ...

    async def post(self, deliveries: Sequence[Delivery]) -> None:
        """Writes deliveries that tell of no transaction. Again is no error."""
        ...

    async def take(self, wanted: Mapping[str, int], now: int, until: int) -> list[Errand]:
        """Up to so many of each lane that are due, earliest first, sent (`core.delivery.send`) and lent out
        `until` then. Several processes are never given the same one before that. Where it raises, they may be
        lent out all the same: see `give_back`."""
        ...

    async def give_back(self, lanes: Collection[str], *, until: int, now: int) -> None:
        """What is lent out until exactly that moment in these lanes is due `now`: nobody has it."""
        ...

    async def next_deliveries(self, lanes: Collection[str]) -> dict[str, int]:
        """When the first of each lane is due that is not over; lanes without any are left out."""
        ...

    async def lanes(self, *, after: str, limit: int) -> dict[str, int]:
        """The same of all lanes there are, the first `limit` behind `after` by name (as UTF-8)."""
        ...

    async def settle(self, progress: Sequence[Progress]) -> list[bool]:
        """Applies each where the row still has `before`'s state and attempt; its attempt is logged with
        it."""
        ...

    async def deliveries(self, sought: Sought) -> list[Delivery]:
        """Raises `BadRequest` where `after` is none of the endpoint's."""
        ...

    async def look_deliveries(self, ids: Sequence[str]) -> list[Delivery | None]:
        """The deliveries with these ids, however malformed an id may be."""
        ...

    async def attempts(self, numbers: Sequence[int]) -> list[list[Attempt]]:
        """Of each delivery its attempts, in order."""
        ...

    async def sweep_outbox(self, *, deliveries: int, feed: int, limit: int) -> int:
        """Removes deliveries that were made before the one moment and are not to be sent soon, and entries of
        the feed from before the other, at most `limit` of each; how many there were."""
        ...

    async def feed(self, tenant: str, after: str | None, limit: int) -> list[Entry]:
        """Entries behind the cursor `after`, in the order of their commits; None: from the first kept.

        Nothing is ever committed in front of an entry that was given out. Raises `BadRequest` for a cursor
        that is none of this store's, or that nothing of it has reached yet.
        """
        ...
