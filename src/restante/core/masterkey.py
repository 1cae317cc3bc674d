"""Master keys: 32 bytes that nobody but the operator has, and the name that each has by itself.

A key is written as base64 or as hex digits, as `openssl rand -base64 32` gives it. Its id is made of it, so
that no two keys are taken for each other and none has to be given a name; it tells nothing of the key.
"""

import hmac
import re
from base64 import b64decode
from hashlib import sha256

KEY_BYTES = 32
ID_DIGITS = 8

_HEX = re.compile(r"[0-9a-fA-F]{64}")


def read_key(text: str) -> bytes:
    """The key that is written there. Raises `ValueError` with a phrase that says what would do."""
    text = text.strip()
    try:
        key = bytes.fromhex(text) if _HEX.fullmatch(text) else b64decode(text.encode(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("expected 32 bytes as base64 or hex, such as openssl rand -base64 32 prints")
    return key


def id_of(key: bytes) -> str:
    """What a master key is called."""
    return hmac.digest(key, b"restante master key", sha256).hex()[:ID_DIGITS]
