"""Cursors: of the feed, spelled so that they tell nothing; and those that lead nowhere are refused.

A place in the feed is a commit's number and an entry's, both counted over all tenants. So a cursor is sealed
under the store's own secret, for its tenant (a synthetic nonce, RFC 5297 in kind): who has one cannot tell
how much others do, and who makes one up, or has another tenant's, is refused. It is the same whoever spells
it, and goes on meaning its place in whatever store the secret moves to.

An empty page would be taken for the end, so every store refuses alike what stands behind nothing of its own.
"""

import re
from hashlib import blake2s
from hmac import compare_digest

from ..core.errors import BadRequest
from ..core.feed import Entry

Place = tuple[int, int]
"""Number of a commit (0 where the store does not count them) and of an entry."""

BEGIN: Place = (0, 0)

_NUMBER_BYTES = 8
_NONCE_BYTES = 8
_FORM = re.compile(r"[0-9a-f]{48}")


def spell(secret: bytes, tenant: str, place: Place) -> str:
    """The cursor that stands behind this place of the tenant's feed."""
    plain = b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in place)
    nonce = _nonce(secret, tenant, plain)
    return (nonce + _mixed(secret, nonce, plain)).hex()


def place_of(secret: bytes, tenant: str, cursor: str | None) -> Place:
    """The place that a cursor stands behind; raises `BadRequest`."""
    if cursor is None:
        return BEGIN
    if not _FORM.fullmatch(cursor):
        raise malformed()
    raw = bytes.fromhex(cursor)
    nonce, plain = raw[:_NONCE_BYTES], _mixed(secret, raw[:_NONCE_BYTES], raw[_NONCE_BYTES:])
    if not compare_digest(nonce, _nonce(secret, tenant, plain)):
        raise malformed()
    return int.from_bytes(plain[:_NUMBER_BYTES], "big"), int.from_bytes(plain[_NUMBER_BYTES:], "big")


def entry(secret: bytes, tenant: str, place: Place, row: tuple[int, str, int, int]) -> Entry:
    """An entry at this place; `row` is its transaction's key and id, and the events it is about."""
    return Entry(spell(secret, tenant, place), *row)


def _nonce(secret: bytes, tenant: str, plain: bytes) -> bytes:
    content = plain + tenant.encode("utf-8", "surrogatepass")
    return blake2s(content, key=secret, digest_size=_NONCE_BYTES, person=b"cursor").digest()


def _mixed(secret: bytes, nonce: bytes, content: bytes) -> bytes:
    stream = blake2s(nonce, key=secret, digest_size=len(content), person=b"place").digest()
    return bytes(one ^ other for one, other in zip(content, stream, strict=True))


def unknown() -> BadRequest:
    """Of a list of deliveries: it is none of this list's, or what it stood behind is removed."""
    return BadRequest(
        "after must be the next of an earlier page, while its deliveries are kept (webhooks.retention)",
        field="after",
    )


def malformed() -> BadRequest:
    """Of the feed."""
    return BadRequest("after must be the next of an earlier answer", field="after")


def foreign() -> BadRequest:
    """Of the feed: nothing of this store has been there yet."""
    return BadRequest(
        "after is of another database, or from before this one was restored; begin without it", field="after"
    )
