"""Why a signature does not fit, as far as it can be told: for developers who write a receiver.

An RSA signature gives back what was signed, so key and body can be told apart. An HMAC does not; there the
usual mistakes are tried, and what fits is named. Nothing here makes a webhook more believable.
"""

import binascii
import json
from collections.abc import Iterator, Sequence
from hashlib import sha256

from ..core.errors import BadRequest
from .keys import PREFIX, PUBLIC_MARK, public_key, secret_bytes
from .signatures import ID, SIGNATURE, TIMESTAMP, signature
from .verification import Headers, content_signature, gathered

MAX_SEARCHED = 1024 * 1024
"""Bodies over this are not searched for what was done to them."""

UNKNOWN = "it was made with another secret, or the body, the id or the timestamp was changed on the way"


def diagnosis(headers: Headers, body: bytes, secrets: Sequence[str]) -> str:
    """A phrase for a webhook whose signature `verify` has found WRONG."""
    fields = gathered(headers)
    if any(one.lstrip().startswith(PUBLIC_MARK) for one in secrets):
        return _of_content(content_signature(fields), body, secrets)
    id, timestamp = fields[ID][0], fields[TIMESTAMP][0]
    given = " ".join(fields[SIGNATURE]).split(" ")
    if not any(one.startswith("v1,") for one in given):
        return f"there is no v1 signature in {SIGNATURE}"
    if len(body) > MAX_SEARCHED:
        return UNKNOWN
    for key, of_key in _keys(secrets):
        for other, of_body in _bodies(body):
            if f"v1,{signature(key, id=id, timestamp=timestamp, body=other)}" in given:
                return "; ".join(phrase for phrase in (of_key, of_body) if phrase)
    return UNKNOWN


def _keys(secrets: Sequence[str]) -> Iterator[tuple[bytes, str]]:
    for secret in secrets:
        try:
            yield secret_bytes(secret), ""
        except BadRequest:
            continue
        text = "the sender took the secret's text for its bytes, which are base64"
        yield secret.encode(), text
        yield secret.removeprefix(PREFIX).encode(), text


def _bodies(body: bytes) -> Iterator[tuple[bytes, str]]:
    yield body, ""
    yield b"", "what was signed had no body"
    ends = "the ends of lines were changed on the way"
    for other in (body + b"\n", body.rstrip(b"\r\n"), body.replace(b"\r\n", b"\n")):
        yield other, ends
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    layout = "the body was read and written again on the way: the same JSON in another layout was signed"
    for separators in ((",", ":"), (", ", ": ")):
        for ascii_only in (False, True):
            try:
                text = json.dumps(document, separators=separators, ensure_ascii=ascii_only)
                yield text.encode(), layout
            except (ValueError, RecursionError):
                continue


def _of_content(made: bytes, body: bytes, secrets: Sequence[str]) -> str:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    for pem in secrets:
        try:
            digest = public_key(pem).recover_data_from_signature(made, PKCS1v15(), SHA256())
        except InvalidSignature:
            continue
        for other, of_body in _bodies(body):
            if digest == sha256(other).digest():
                return of_body
        shown = binascii.hexlify(digest).decode()
        return f"the key is right, but the body is not what was signed (its SHA-256 was {shown})"
    return "it was made with another key"
