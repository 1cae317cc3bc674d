"""What is ready to be run, in memory: round and round over the tenants, by priority within one.

A tenant's next one waits for at most one of each other tenant, however many those have. Within a tenant a
higher priority goes first, and what came first among equals.
"""

import heapq

from ..core.model import Claim


class Ready:
    """A queue of claims. `push`, and `pop` while there is anything."""

    def __init__(self) -> None:
        self._lines: dict[str, list[tuple[int, int, Claim]]] = {}  # per tenant, in turn, a heap
        self._arrivals = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, claim: Claim) -> None:
        """Into its tenant's line; a tenant who had none comes after all others."""
        self._arrivals += 1
        self._count += 1
        line = self._lines.setdefault(claim.transaction.tenant, [])
        heapq.heappush(line, (-claim.transaction.priority, self._arrivals, claim))

    def pop(self) -> Claim:
        """The first of the tenant whose turn it is; then it is the next tenant's."""
        tenant = next(iter(self._lines))
        line = self._lines.pop(tenant)
        claim = heapq.heappop(line)[2]
        if line:
            self._lines[tenant] = line
        self._count -= 1
        return claim

    def clear(self) -> list[Claim]:
        """Takes out everything."""
        claims = [entry[2] for line in self._lines.values() for entry in line]
        self._lines.clear()
        self._count = 0
        return claims
