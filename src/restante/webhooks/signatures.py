"""The header fields that sign a webhook, of either kind.

`standard` is Standard Webhooks: an HMAC over id, moment and body by each secret, so that a receiver may have
the old or the new one while they are changed. `content` is the style of payment platforms: RSA over the body
alone, and the shop's credentials; there is room for one signature only (`Endpoint.signing`), and what is
unsigned (the id, by which a receiver knows a repetition) is no more than a hint.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256

from .keys import basic, private_key, secret_bytes

Fields = tuple[tuple[bytes, bytes], ...]

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
CONTENT_SIGNATURE = "content-signature"

MICROSECONDS = 1_000_000
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Kind(StrEnum):
    """How a webhook is signed."""

    STANDARD = "standard"
    CONTENT = "content"


def sign(
    kind: str,
    secrets: Sequence[str],
    *,
    id: str,
    moment: int,
    body: bytes,
    credentials: tuple[str, str] | None = None,
) -> Fields:
    """The fields for `body`; `id` is the same in each attempt, `moment` (microseconds) is the attempt's.

    `secrets`, the newest first, are `whsec_…`, or for `content` private keys as PEM; `credentials` are the
    shop's id and key. Raises `BadRequest` for what cannot sign, `ValueError` for an id that no header can
    hold.
    """
    if not _ID.fullmatch(id):
        raise ValueError("an id must be 1 to 100 letters, digits, - and _")
    if not secrets:
        raise ValueError("there must be something to sign with")
    if Kind(kind) is Kind.CONTENT:
        signed: Fields = (
            (CONTENT_SIGNATURE.encode(), rsa_signature(secrets[0], body)),
            (ID.encode(), id.encode()),
        )
        return signed if credentials is None else ((b"authorization", basic(*credentials)), *signed)
    timestamp = str(moment // MICROSECONDS)
    made = [signature(secret_bytes(secret), id=id, timestamp=timestamp, body=body) for secret in secrets]
    return (
        (ID.encode(), id.encode()),
        (TIMESTAMP.encode(), timestamp.encode()),
        (SIGNATURE.encode(), " ".join(f"v1,{one}" for one in made).encode()),
    )


def signature(key: bytes, *, id: str, timestamp: str, body: bytes) -> str:
    """What follows `v1,` (Standard Webhooks, *Signature scheme*)."""
    digest = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, sha256)
    return base64.b64encode(digest).decode()


def rsa_signature(pem: str, body: bytes) -> bytes:
    """RSA with SHA-256 and PKCS #1 v1.5 padding (RFC 8017 §8.2), as base64."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return base64.b64encode(private_key(pem).sign(body, PKCS1v15(), SHA256()))
