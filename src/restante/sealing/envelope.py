"""What a sealed thing looks like: version, the key's name, a nonce, and what AES-256-GCM makes of it.

    1 byte │ 1 byte: length │ name │ 12 bytes │ ciphertext and tag

The place it was sealed for (`place`: what it is, of which row) is bound to it, and so is the key's name:
moved to another row, cut, or changed in any bit, it is not opened. Nonces are of chance; a day's key may
seal 2^32 things before two alike are to be feared (NIST SP 800-38D, 8.3).
"""

import os
from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16

Find = Callable[[str], AESGCM]
"""The key with that name; raises where there is none."""


class NotSealedHere(Exception):
    """It was not sealed like this, for this place, under a key with this name."""


def seal(name: str, key: AESGCM, place: bytes, content: bytes) -> bytes:
    head = _head(name)
    nonce = os.urandom(NONCE_BYTES)
    return head + nonce + key.encrypt(nonce, content, head + place)


@lru_cache(maxsize=256)
def _head(name: str) -> bytes:
    label = name.encode()
    return VERSION + bytes((len(label),)) + label


def unseal(sealed: bytes, place: bytes, find: Find) -> bytes:
    """Raises `NotSealedHere`, and whatever `find` raises."""
    name = name_of(sealed)
    start = 2 + sealed[1]
    nonce = sealed[start : start + NONCE_BYTES]
    try:
        return find(name).decrypt(nonce, sealed[start + NONCE_BYTES :], sealed[:start] + place)
    except InvalidTag:
        raise NotSealedHere from None


def name_of(sealed: bytes) -> str:
    """The name of the key; raises `NotSealedHere`."""
    if len(sealed) < 2 or sealed[:1] != VERSION or len(sealed) < 2 + sealed[1] + NONCE_BYTES + TAG_BYTES:
        raise NotSealedHere
    try:
        return sealed[2 : 2 + sealed[1]].decode("ascii")
    except UnicodeDecodeError:
        raise NotSealedHere from None
