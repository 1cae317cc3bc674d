"""The promise of what carries one webhook to one address, and brings back what was said."""

from enum import StrEnum
from typing import Protocol

import msgspec


class Carried(StrEnum):
    """How one attempt went. ANSWERED has a code, and nothing else has."""

    ANSWERED = "answered"
    """Also where the rest of the answer did not come: then `reason` says so."""
    REFUSED = "refused"
    """Not one byte was sent: the address is not allowed, or the URL cannot be used."""
    UNREACHABLE = "unreachable"
    """No connection was made, or no name was found."""
    BROKEN = "broken"
    """The connection ended, or what came was not HTTP."""
    TIMED_OUT = "timed_out"


class Parcel(msgspec.Struct, frozen=True):
    """A POST to be made: `url` absolute, headers as they are to be written, without framing and Host."""

    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Receipt(msgspec.Struct, frozen=True):
    """What came of it. `answer` is the body's first KiB at most; `reason` is for people, with nothing raw."""

    carried: Carried
    reason: str
    code: int | None = None
    retry_after: bytes | None = None
    answer: bytes = b""


class Courier(Protocol):
    """Never raises for what the other side does. It follows no redirect and repeats nothing.

    Every attempt resolves the name anew, checks the address, and connects to just that.
    """

    async def carry(self, parcel: Parcel, *, timeout_seconds: float) -> Receipt:
        """Makes one attempt. The timeout counts from the name's look-up to the answer's last byte."""
        ...

    async def admit(self, url: str) -> None:
        """Raises `AddressRefused` where `carry` would refuse this URL now. An unknown name is no reason."""
        ...

    async def close(self) -> None: ...
