"""Which upstreams are paused, as this process knows it: read from the store at the start, after every pause
and resume made here, and whenever another process tells of one.
"""

from ..ports import Bell, Store
from .again import Again


class Pauses:
    """`know` them before anything is run; `heard` is for the store to call."""

    def __init__(self, *, store: Store, bell: Bell) -> None:
        self.names: frozenset[str] = frozenset()
        self._store = store
        self._bell = bell
        self._again = Again(self.look, "pauses")

    async def pause(self, upstream: str) -> None:
        """Everywhere, and until it is resumed; what is being sent is let finish."""
        await self._store.pause(upstream)
        await self.look()

    async def resume(self, upstream: str) -> None:
        await self._store.resume(upstream)
        await self.look()

    async def look(self) -> None:
        """Asks the store."""
        self.know(await self._store.paused())

    def know(self, names: frozenset[str]) -> None:
        """These are paused, and the runner is told."""
        self.names = names
        self._bell.pause(names)

    def heard(self) -> None:
        """Another process paused or resumed something, or may have."""
        self._again.heard()
