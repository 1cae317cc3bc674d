"""What a store promises about access keys. Part of `Store`."""

from collections.abc import Sequence
from typing import Protocol

from ..core.access import AccessKey


class Keyring(Protocol):
    @property
    def secret(self) -> bytes:
        """The store's own 16 bytes, under which keys are hashed."""
        ...

    async def add_keys(self, keys: Sequence[AccessKey]) -> None: ...

    async def find_keys(self, digests: Sequence[bytes]) -> list[AccessKey | None]:
        """The keys with these hashes, revoked and expired ones too."""
        ...

    async def list_keys(self, tenant: str, *, after: str | None, limit: int) -> list[AccessKey]:
        """Some of the tenant's (EVERYBODY: of all) behind the id `after`, the newest first."""
        ...

    async def revoke_keys(self, ids: Sequence[str], *, tenant: str, now: int) -> list[AccessKey | None]:
        """From now on these are good for nothing; how each stands then. One that was revoked before stays as
        it was. None: the tenant (EVERYBODY: nobody at all) has none with that id."""
        ...


class Forgetting(Protocol):
    async def sweep_keys(self, before: int, limit: int) -> int:
        """Removes up to `limit` access keys that were revoked or expired before that moment; how many."""
        ...
