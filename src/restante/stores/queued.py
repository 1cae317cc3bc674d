"""How much is not finished, altogether and of each tenant: counted in the store, then kept up in memory.

A store that others write to as well is counted again and again. What is written here while a count is being
made may be in it or not; it is added in any case, so that the numbers are rather too large than too small.
"""

from collections import Counter
from collections.abc import Mapping


class Queued:
    """`add` and `end` as it is written; only what one thread does with it is exact."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.total = sum(counts.values())
        self._of = dict(counts)
        self._meanwhile: Counter[str] | None = None  # since the count that is being made was begun

    def of(self, tenant: str) -> int:
        """That tenant's."""
        return self._of.get(tenant, 0)

    def add(self, tenant: str) -> None:
        """One more of the tenant's is not finished."""
        self._move(tenant, 1)

    def end(self, tenant: str) -> None:
        """One of the tenant's is."""
        self._move(tenant, -1)

    def begin_count(self) -> None:
        """Somebody counts in the store from now on."""
        self._meanwhile = Counter()

    def counted(self, counts: Mapping[str, int], total: int) -> None:
        """That is what was found; `counts` may leave out tenants that have little."""
        meanwhile, self._meanwhile = self._meanwhile or Counter(), None
        self._of, self.total = dict(counts), total
        for tenant, change in meanwhile.items():
            self._move(tenant, change)

    def _move(self, tenant: str, change: int) -> None:
        self.total += change
        left = self._of.get(tenant, 0) + change
        if left:
            self._of[tenant] = left
        else:
            self._of.pop(tenant, None)  # of tenants there may be any number, in time
        if self._meanwhile is not None:
            self._meanwhile[tenant] += change
