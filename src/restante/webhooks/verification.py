"""For whoever receives webhooks: is this one from where it says, whole, and of now?

    from restante.webhooks import SignatureRefused, verify

    try:
        id = verify(request.headers, await request.body(), "whsec_…")
    except SignatureRefused:
        return 400

The body must be the bytes that came, not what a JSON library made of them. A webhook comes at least once:
`id` tells which of them were seen before.
"""

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from ..core.errors import BadRequest
from .keys import PUBLIC_MARK, public_key, secret_bytes
from .signatures import CONTENT_SIGNATURE, ID, SIGNATURE, TIMESTAMP, signature

TOLERANCE_SECONDS = 300.0
MAX_SIGNATURES = 16
MAX_DIGITS = 12
MAX_BASE64 = 4096

Headers = (
    Mapping[str, str] | Mapping[str, str | None] | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
)

T = TypeVar("T")


class Fault(StrEnum):
    """What is wrong with a webhook."""

    MISSING = "missing"
    MALFORMED = "malformed"
    WRONG = "wrong"
    """Of another key, or not of what came."""
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"


class SignatureRefused(ValueError):
    """A webhook that must not be believed. Its text repeats nothing of the webhook."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def verify(
    headers: Headers,
    body: bytes,
    secret: str | Sequence[str],
    *,
    now: Callable[[], float] = time.time,
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> str:
    """The webhook's id, the same each time that it is sent. Raises `SignatureRefused`.

    `secret` is `whsec_…`, or the PEM of the public key for endpoints with `signature: content`; several of
    them while they are changed. Public keys sign neither id nor moment: the id is "" then. `now` is in
    seconds since 1970.

    What is the receiver's own mistake is another error: `ValueError` for a secret that is none, `TypeError`
    for a secret that is no text, and for a body that is not the bytes that came.
    """
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError(f"body must be the bytes that came, not {type(body).__name__}")
    body, secrets = bytes(body), _secrets(secret)
    fields = gathered(headers)
    if secrets and secrets[0].lstrip().startswith(PUBLIC_MARK):
        return _verify_content(fields, body, secrets)
    id, timestamp = (_one(fields, name) for name in (ID, TIMESTAMP))
    given = [one for value in _all(fields, SIGNATURE) for one in value.split(" ")]
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > MAX_DIGITS:
        raise SignatureRefused(Fault.MALFORMED, f"{TIMESTAMP} is not a number of seconds")
    if len(given) > MAX_SIGNATURES:
        raise SignatureRefused(Fault.MALFORMED, f"{SIGNATURE} holds more than {MAX_SIGNATURES} signatures")
    right = [
        f"v1,{signature(key, id=id, timestamp=timestamp, body=body)}".encode()
        for key in _read(secret_bytes, secrets)
    ]
    # All are compared, each in constant time.
    matches = [hmac.compare_digest(one.encode(), other) for one in given for other in right]
    if not any(matches):
        raise SignatureRefused(Fault.WRONG, "no signature fits: another secret, or something was changed")
    age = now() - int(timestamp)
    if age > tolerance_seconds:
        raise SignatureRefused(Fault.TOO_OLD, f"it was signed {age:.0f} s ago")
    if -age > tolerance_seconds:
        raise SignatureRefused(Fault.TOO_NEW, f"it was signed {-age:.0f} s in the future")
    return id


def _secrets(secret: str | Sequence[str]) -> list[str]:
    """All that may have signed. Raises `TypeError`."""
    secrets = [secret] if isinstance(secret, str | bytes) or secret is None else list(secret)
    for one in secrets:
        if not isinstance(one, str):
            raise TypeError(f"a secret must be text such as whsec_…, not {type(one).__name__}")
    return secrets


def _read(read: Callable[[str], T], secrets: Iterable[str]) -> list[T]:
    """Raises `ValueError` for one that is none, which a program that receives expects of its settings."""
    try:
        return [read(one) for one in secrets]
    except BadRequest as error:
        raise ValueError(error.message) from None


def gathered(headers: Headers) -> dict[str, list[str]]:
    """The values of each field, by its name in lower case."""
    fields: dict[str, list[str]] = {}
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    for name, value in pairs:
        if value is None:  # some mappings hold what was not there
            continue
        name = name.decode("latin-1") if isinstance(name, bytes) else name
        # Some servers leave a lone surrogate where bytes were no text; a signature holds none.
        value = (
            value.decode("latin-1") if isinstance(value, bytes) else value.encode(errors="replace").decode()
        )
        fields.setdefault(name.lower(), []).append(value.strip())
    return fields


def _verify_content(fields: dict[str, list[str]], body: bytes, secrets: Sequence[str]) -> str:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    made = content_signature(fields)
    for key in _read(public_key, secrets):
        try:
            key.verify(made, body, PKCS1v15(), SHA256())
        except InvalidSignature:
            continue
        return ""
    raise SignatureRefused(Fault.WRONG, "the signature does not fit: another key, or the body was changed")


def content_signature(fields: dict[str, list[str]]) -> bytes:
    """The bytes in Content-Signature; raises `SignatureRefused`."""
    text = _one(fields, CONTENT_SIGNATURE)
    try:
        if len(text) > MAX_BASE64:
            raise ValueError
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise SignatureRefused(Fault.MALFORMED, f"{CONTENT_SIGNATURE} is not base64") from None


def _all(fields: dict[str, list[str]], name: str) -> list[str]:
    values = [value for value in fields.get(name, []) if value]
    if not values:
        raise SignatureRefused(Fault.MISSING, f"there is no {name}")
    return values


def _one(fields: dict[str, list[str]], name: str) -> str:
    values = _all(fields, name)
    if len(values) > 1:
        raise SignatureRefused(Fault.MALFORMED, f"there is more than one {name}")
    return values[0]
