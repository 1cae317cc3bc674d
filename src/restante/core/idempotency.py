"""Idempotency keys: the same key and the same request are the same transaction.

Headers `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header; quoted or bare) and `RequestID`
(seed 000's platform), on methods that are not safe. A key belongs to a tenant and to the caller's
credentials: two shops may use the same key.
"""

from hashlib import sha256

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
    """`body_digest` is the SHA-256 of the body."""
    return IdempotencyKey(
        scope=_digest(tenant.encode(), authorization, key.encode()),
        fingerprint=_digest(method.encode(), path.encode(), query.encode(), body_digest),
    )


def _digest(*parts: bytes) -> bytes:
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
