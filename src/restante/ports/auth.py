"""Who is asking: what the gateway must be told of every caller before anything is done for them."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ..core.access import ALL_SCOPES, AccessKey, Scope

Fields = Sequence[tuple[bytes, bytes]]


class Caller(msgspec.Struct, frozen=True):
    """Who is asking, and for what. The tenant EVERYBODY reaches what all tenants have."""

    tenant: str
    scopes: frozenset[Scope] = ALL_SCOPES
    all: bool = False  # asks for the installation: may do what concerns every tenant
    key: AccessKey | None = None  # one of ours that was asked with


class Admitted(msgspec.Struct, frozen=True):
    """A caller who is known, and the header fields without the credentials that were meant for us."""

    caller: Caller
    headers: Fields


class Auth(Protocol):
    """Says who is asking."""

    @property
    def guards_plain(self) -> bool:
        """Whether it must be known who asks for what goes straight through, too."""
        ...

    async def identify(self, headers: Fields) -> Admitted:
        """`headers` as they came, names in lower case. Raises `Refused`."""
        ...

    def recognise(self, headers: Fields) -> Admitted | None:
        """The same where it can be told at once; None: `identify` is to be asked."""
        ...
