"""What a store promises to whoever seals what is kept in it, from outside. Part of `Store`."""

from typing import Protocol

from ..core.endpoint import Endpoint
from ..core.idempotency import Hashing


class Sealable(Protocol):
    @property
    def sealing(self) -> bytes | None:
        """The mark of whoever seals what is kept here; None: it is in clear. As it was when this was opened,
        or as `mark_sealing` left it."""
        ...

    async def mark_sealing(self, mark: bytes) -> None:
        """Leaves the mark, unless there is one. Raises `SettingError` while others are at work without it."""
        ...

    @property
    def hashing(self) -> Hashing:
        """How idempotency keys are kept here. Whoever marks the store has another one that follows it; until
        the last that was kept before is forgotten, they are looked for in both ways."""
        ...

    async def keeps_from_before(self, moment: int) -> bool:
        """Whether a transaction is kept that was accepted before `moment`; where it was up to an hour after,
        that may be said as well."""
        ...

    async def scrub(self) -> None:
        """What was overwritten or removed is nowhere on disk any more, as far as that is in the store's
        hands: a database may keep it by itself."""
        ...


class Resealing(Protocol):
    """A store, or a way to it beside the server that has it, in which secrets come under another key."""

    @property
    def sealing(self) -> bytes | None: ...

    async def endpoints(self) -> list[Endpoint]: ...

    async def keep_endpoint(self, endpoint: Endpoint, *, most: int) -> bool: ...
