"""Tokens with which an upstream reports: one per attempt, made of the store's secret, nothing is kept.

<attempt>.<base64url of HMAC-SHA256 over transaction id and attempt>
"""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

MAX_ATTEMPT_DIGITS = 9


def events_token(secret: bytes, id: str, attempt: int) -> str:
    """The token of one attempt. `secret` is the store's own."""
    digest = hmac.digest(secret, f"restante events {id} {attempt}".encode(), sha256)
    return f"{attempt}.{urlsafe_b64encode(digest).decode().rstrip('=')}"


def attempt_of(token: str, secret: bytes, id: str) -> int | None:
    """The attempt that `token` was made for, or None where it is not one for the transaction `id`."""
    digits = token.partition(".")[0]
    readable = digits.isascii() and digits.isdigit() and len(digits) <= MAX_ATTEMPT_DIGITS
    attempt = int(digits) if readable else 0
    right = events_token(secret, id, attempt).encode()
    return attempt if hmac.compare_digest(right, token.encode("utf-8", "replace")) else None
