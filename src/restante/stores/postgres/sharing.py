"""How an upstream's attempts are divided over the processes that make them.

One row per upstream says how many each process has. A process gives itself no more than what the others,
those that there are, have left; it replaces the row as a whole, and only the version that it has seen. So
the sum is never more than the total, whoever comes and goes at the same moment: a process that comes has
nothing until those before it have let go of its share, and what a dead one had is free when it is buried.
"""

from collections.abc import Mapping
from typing import Any

from ...core.model import Wanted
from .database import Database
from .nodes import Nodes
from .rows import read_text, text

TRIES = 4
"""How often a row is read and replaced in one call; whoever was always too late has what he had."""

Parts = dict[int, int]
"""How many each process has, by its number."""


class Sharing:
    """The shares of this process."""

    def __init__(self, database: Database, nodes: Nodes) -> None:
        self._database = database
        self._nodes = nodes

    async def divide(self, wanted: Mapping[str, Wanted]) -> dict[str, int]:
        """See `ports.Store`."""
        left = dict(wanted)
        shares: dict[str, int] = {}
        for _ in range(TRIES):
            for row in await self._database.rows("shares", list(map(text, left)), again=True):
                upstream = read_text(row[0])
                shares[upstream], settled = await self._take(upstream, left[upstream], row)
                if settled:
                    del left[upstream]
            if not left:
                break
        return shares

    async def _take(self, upstream: str, wanted: Wanted, row: Any) -> tuple[int, bool]:
        """This process's share, and whether the row says so."""
        _, version, numbers, slots, living = row
        node = self._nodes.node
        parts = {number: some for number, some in zip(numbers, slots, strict=True) if number in living}
        after, share = divided(parts, node, wanted)
        if after == dict(zip(numbers, slots, strict=True)):
            return share, True
        replaced = await self._database.value(
            "divide", text(upstream), version, list(after), list(after.values()), again=True
        )
        if replaced is None:
            return min(share, parts.get(node, 0)), False
        return share, True


def divided(parts: Parts, node: int, wanted: Wanted) -> tuple[Parts, int]:
    """The parts as they are once `node` has taken its own, and how much of that it may use.

    The processes that came first share evenly. What `node` uses beyond its share remains its part. One that
    wants nothing is none of them.
    """
    if not wanted.total:
        return {other: some for other, some in parts.items() if other != node}, 0
    nodes = sorted({*parts, node})
    among = min(len(nodes), wanted.processes, wanted.total)
    place = nodes.index(node)
    even = wanted.total // among + (place < wanted.total % among) if place < among else 0
    free = max(wanted.total - sum(some for other, some in parts.items() if other != node), 0)
    part = min(max(even, wanted.used), free)
    return {**parts, node: part}, min(even, part)
