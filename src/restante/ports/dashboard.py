"""What the gateway asks of the room that makes pages for people. Neither knows the other."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import msgspec

Fields = Sequence[tuple[bytes, bytes]]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request below `/-/`. `path` is what follows that; `origin` is the one that the caller used."""

    method: str  # HEAD is GET here
    path: str
    query: str
    headers: Fields
    origin: str
    body: bytes = b""


class Shown(msgspec.Struct, frozen=True):
    """Its answer: whole, or in pieces for as long as the client stays. Fields have no framing."""

    code: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | AsyncGenerator[bytes, None]


class Dashboard(Protocol):
    def serves(self, path: str) -> bool:
        """Whether this path below `/-/` is a page's."""
        ...

    async def show(self, asked: Asked) -> Shown: ...
