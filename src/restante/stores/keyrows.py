"""An access key as a row, the same in both stores but for how its tenant is spelled."""

from typing import Any

from ..core.access import AccessKey, Scope

Row = tuple[Any, ...]

BEHIND_ALL = "g"
"""Greater than any id, which is made of hex digits."""


def key_row(key: AccessKey) -> Row:
    scopes = " ".join(sorted(key.scopes))
    return key.id, key.digest, key.tenant, scopes, key.created_at, key.expires_at, key.revoked_at


def read_key(row: Any) -> AccessKey:
    return AccessKey(
        id=row[0],
        digest=bytes(row[1]),
        tenant=row[2],
        scopes=frozenset(map(Scope, row[3].split())),
        created_at=row[4],
        expires_at=row[5],
        revoked_at=row[6],
    )
