"""Access keys as the native API spells them. Bodies are read strictly: what is wrong is named."""

from typing import Any

import msgspec

from ..core.access import AccessKey, Wish, read_wish
from ..core.errors import BadRequest
from ..core.pointer import decode
from .moments import zulu
from .parameters import Parameters

DEFAULT_LIMIT = 50
FIELDS = ("tenant", "scopes", "expires")
LISTED = ("tenant", "limit", "after")


class Listing(msgspec.Struct, frozen=True):
    """What is asked for of a list."""

    tenant: str | None
    after: str | None
    limit: int


def listing(query: str, *, max_limit: int) -> Listing:
    given = Parameters(query, LISTED)
    limit = given.number("limit", min(DEFAULT_LIMIT, max_limit), least=1, most=max_limit)
    return Listing(given.text("tenant"), given.text("after"), limit)


def read_new(body: bytes) -> Wish:
    """A key that is to be made; raises `BadRequest` naming the field."""
    given = decode(body)
    if not isinstance(given, dict):
        raise BadRequest("The body must be a JSON object.", field="body")
    for name in given:
        if name not in FIELDS:
            raise BadRequest(f"There is no such field; there are {', '.join(FIELDS)}.", field=name[:255])
    return read_wish(given.get("tenant"), given.get("scopes"), given.get("expires"))


def one(key: AccessKey, *, now: int) -> dict[str, Any]:
    """A key, without what it is asked with."""
    return {
        "id": key.id,
        "tenant": key.tenant,
        "scopes": sorted(key.scopes),
        "good": key.good(now),
        "created_at": zulu(key.created_at),
        "expires_at": None if key.expires_at is None else zulu(key.expires_at),
        "revoked_at": None if key.revoked_at is None else zulu(key.revoked_at),
    }
