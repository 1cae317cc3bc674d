"""What a store promises about figures (core/figures.py), and other looks of people. Part of `Store`."""

from collections.abc import Sequence
from typing import Protocol

from ..core.delivery import Delivery
from ..core.figures import Figure, Standing
from ..core.model import Transaction


class Figures(Protocol):
    async def count_figures(self, limit: int) -> int:
        """Counts up to `limit` more entries of the feed, each once, whoever counts; how many there were."""
        ...

    async def figures(
        self, tenant: str, *, minutes: int, first: int, places: int, width: int
    ) -> list[Figure]:
        """Sums of the tenant's figures (EVERYBODY: of all tenants'), over `places` stretches of `width`
        minutes each, from the minute `first` (since 1970) on. `minutes`: which figures, MINUTES or HOURS."""
        ...

    async def pending_figures(self, tenant: str, *, first: int, width: int) -> dict[int, int]:
        """How much that was accepted since the minute `first` has not been begun, by place. It is in no
        figure yet."""
        ...

    async def counted_tenants(self, *, first: int, limit: int) -> list[tuple[str, int]]:
        """The tenants with most begun in the hours that began since that minute, and how much."""
        ...

    async def sweep_figures(self, *, minutes: int, hours: int, limit: int) -> int:
        """Removes up to `limit` figures of minutes before the one moment, in minutes since 1970, and of
        hours before the other; how many there were."""
        ...

    async def standing(self, transaction: Transaction, *, limit: int) -> Standing:
        """Where it stands in line; of no use for what has ended."""
        ...

    async def with_code(
        self, tenant: str, code: str, *, before: int | None, limit: int
    ) -> tuple[Sequence[Transaction], int | None]:
        """Among the `limit` or so newest with keys under `before` (None: of all), the tenant's (EVERYBODY:
        anybody's) whose ids begin with `code` (eight hex digits, or "" for any); and where to go on, None at
        the end."""
        ...

    async def deliveries_about(self, key: int, limit: int) -> list[Delivery]:
        """Of what the transaction with this key had sent, the first."""
        ...
