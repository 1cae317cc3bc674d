"""The part of the store that is about all of it: its secret, the mark of whoever seals it, how idempotency
keys are hashed. That changes only while nobody is there who would go on as before."""

import asyncio

from ...core.clock import SECOND
from ...core.errors import SettingError
from ...core.idempotency import plain
from .database import Database
from .migrate import KEYED
from .nodes import Nodes

PAUSE = SECOND // 4
"""How often it is looked whether all who are here have the keys of what is to be sealed,"""

PATIENCE = 1.5
"""and for how many leases."""


class Meta:
    """What a `PostgresStore` is, beside all else."""

    _database: Database
    _nodes: Nodes
    _lease: int

    def __init__(self) -> None:
        self.secret = b""
        self.sealing: bytes | None = None
        self.hashing = plain()

    async def mark_sealing(self, mark: bytes) -> None:
        """Waits for those without it that were killed, or are about to leave."""
        for _ in range(int(self._lease * PATIENCE // PAUSE)):
            await self._database.rows("mark_sealing", self._nodes.node, mark, again=True)
            await self._learn()
            if self.sealing is not None:
                return
            await asyncio.sleep(PAUSE / SECOND)
        raise SettingError("sealing", "servers without keys are at work on this store; stop them all first")

    async def scrub(self) -> None:
        """Nothing: what was overwritten stays until the database's own VACUUM, and its log, are over it."""

    async def _learn(self) -> None:
        """Not before entering: nobody moves a store, and its secret, into a database that a server has
        entered, or has others hashed or sealed."""
        ((self.secret, self.sealing, least, until),) = await self._database.rows("meta", again=True)
        self.hashing = plain(until=until)
        if least >= KEYED:
            self.hashing = self.hashing.followed_by(self.secret)
