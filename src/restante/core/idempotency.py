"""Idempotency keys: the same key and the same request are the same transaction.

Headers `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header; quoted or bare) and `RequestID`
(seed 000's platform), on methods that are not safe. A key belongs to a tenant and to the caller's
credentials: two shops may use the same key.

What is kept of all that is a keyed hash (`Hashing`), so that what credentials are cannot be tried without
the hash's key. A store whose hash has changed knows until when there may be keys that were hashed as before;
until then each is looked for in all ways.
"""

import hmac
from hashlib import sha256

import msgspec

from .errors import BadRequest
from .model import IdempotencyKey

MAX_KEY_LENGTH = 255


def parse_key(raw: bytes, header: str) -> str:
    """The key in a header's value; raises `BadRequest` naming the header."""
    text = raw.strip().decode("latin-1")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    elif text.startswith('"') or text.endswith('"'):
        raise BadRequest(f"{header} has a quote at one end only", field=header)
    if not text or len(text) > MAX_KEY_LENGTH or not text.isprintable():
        raise BadRequest(
            f"{header} must be 1 to {MAX_KEY_LENGTH} printable characters, quoted or bare", field=header
        )
    return text


def idempotency_key(
    key: str, *, tenant: str, authorization: bytes, method: str, path: str, query: str, body_digest: bytes
) -> IdempotencyKey:
    """Before anything is kept of it: plain digests. `body_digest` is the SHA-256 of the body."""
    return IdempotencyKey(
        scope=_digest(tenant.encode(), authorization, key.encode()),
        fingerprint=_digest(method.encode(), path.encode(), query.encode(), body_digest),
    )


class Hashing(msgspec.Struct, frozen=True):
    """How keys are kept: hashed under `secret`; without one, as plain digests. Those that were hashed under
    one of `former` are all forgotten at the moment `until`."""

    secret: bytes | None
    former: tuple[bytes | None, ...] = ()
    until: int = 0

    def of(self, known: IdempotencyKey, now: int) -> IdempotencyKey:
        """As it is kept, and as it may have been kept before."""
        key = _hashed(known, self.secret)
        if now >= self.until:
            return key
        former = tuple(_hashed(known, secret) for secret in self.former)
        return IdempotencyKey(key.scope, key.fingerprint, former)

    def followed_by(self, secret: bytes) -> "Hashing":
        """That of one who hashes from now on under what is derived from `secret`."""
        derived = hmac.digest(secret, b"restante idempotency keys", sha256)
        return Hashing(derived, (self.secret, *self.former), self.until)


def plain(*, until: int = 0) -> Hashing:
    """As stores did before they had keys for it; what is from then is forgotten at the moment `until`."""
    return Hashing(None, (), until)


def _hashed(known: IdempotencyKey, secret: bytes | None) -> IdempotencyKey:
    if secret is None:
        return known
    return IdempotencyKey(
        hmac.digest(secret, b"scope" + known.scope, sha256),
        hmac.digest(secret, b"fingerprint" + known.fingerprint, sha256),
    )


def _digest(*parts: bytes) -> bytes:
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
