"""Access keys: who may ask for what. A key is shown once, when it is made; kept is only its keyed hash.

    rst_<id, 20 hex digits>_<32 characters of chance>

The hash is an HMAC under the store's own secret: what is kept cannot be asked with, and of two stores the
same key has two hashes. Keys hold 192 random bits, so a fast hash is as good as a slow one. An
`Authorization` that is the upstream's is turned into an owner in the same way (`owner_of`); how well that one
can be guessed is between the caller and the upstream.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256

import msgspec

from .clock import DAY
from .duration import FORM, parse_duration
from .errors import BadRequest

PREFIX = "rst_"
ID_CHANCE = 4
SECRET_BYTES = 24
KEY_BYTES = ID_CHANCE + SECRET_BYTES
"""Bytes of chance in a key."""

LONGEST = 128
"""Characters of what may be a key; nothing longer is hashed."""

EVERYBODY = "*"
"""The tenant of keys that reach the transactions and keys of all tenants."""

TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OWNER_DIGITS = 32
LONGEST_SPAN = 36500 * DAY


class Scope(StrEnum):
    """What a key is good for. Which call needs which is a table of the gateway's."""

    SUBMIT = "submit"
    READ = "read"
    OPERATE = "operate"


ALL_SCOPES = frozenset(Scope)


class Wish(msgspec.Struct, frozen=True):
    """A key that is to be made; good for `span`, None: for ever."""

    tenant: str
    scopes: frozenset[Scope]
    span: int | None


def read_wish(tenant: object, scopes: object, expires: object) -> Wish:
    """What somebody says of a key; raises `BadRequest` naming the field."""
    if not isinstance(tenant, str) or not (TENANT.fullmatch(tenant) or tenant == EVERYBODY):
        raise BadRequest(
            "tenant must be 1 to 64 letters, digits, dots, dashes and underscores, "
            "or * for a key that reaches all tenants",
            field="tenant",
        )
    known = list(map(str, Scope))
    if not isinstance(scopes, list) or not scopes or not all(scope in known for scope in scopes):
        raise BadRequest(f"scopes must be some of {', '.join(Scope)}", field="scopes")
    if tenant == EVERYBODY and Scope.SUBMIT in scopes:
        raise BadRequest("what is submitted is one tenant's: * goes with read and operate", field="scopes")
    span = None
    if expires is not None:
        try:
            span = parse_duration(expires if isinstance(expires, str) else "")
        except ValueError:
            span = 0
        if not 0 < span <= LONGEST_SPAN:
            raise BadRequest(f"expires must be {FORM}, more than 0 and 36500d at most", field="expires")
    return Wish(tenant, frozenset(map(Scope, scopes)), span)


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key. Moments in microseconds since 1970."""

    id: str
    digest: bytes
    tenant: str
    scopes: frozenset[Scope]
    created_at: int
    expires_at: int | None = None  # None: never
    revoked_at: int | None = None

    def good(self, now: int) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def make_key(
    secret: bytes,
    chance: bytes,
    *,
    tenant: str,
    scopes: Iterable[Scope],
    now: int,
    expires_at: int | None = None,
) -> tuple[AccessKey, str]:
    """A new key, and what its holder is given. `chance` is KEY_BYTES of it; ids are in the order of time."""
    id = f"{now // 1000:012x}{chance[:ID_CHANCE].hex()}"
    text = f"{PREFIX}{id}_{urlsafe_b64encode(chance[ID_CHANCE:KEY_BYTES]).decode()}"
    digest = digest_of(secret, text.encode())
    key = AccessKey(
        id=id,
        digest=digest,
        tenant=tenant,
        scopes=frozenset(scopes),
        created_at=now,
        expires_at=expires_at,
    )
    return key, text


def digest_of(secret: bytes, presented: bytes) -> bytes:
    """The keyed hash that a key is kept and found by. `secret` is the store's own."""
    return hmac.digest(secret, b"restante key " + presented, sha256)


def owner_of(secret: bytes, authorization: bytes) -> str:
    """The tenant that somebody else's credentials stand for."""
    return hmac.digest(secret, b"restante owner " + authorization, sha256).hex()[:OWNER_DIGITS]
