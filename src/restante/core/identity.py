"""Ids: a UUIDv8 (RFC 9562 §5.8) that carries the row's key, so that a look-up is one step in any store.

    32 random bits │ 16 key │ 8 │ 12 key │ variant │ 20 key │ 42 random

The first eight hex digits are random, because `code` is made of them. The 48 key bits are blurred with
a keyed hash of the random ones: two ids side by side do not tell how much was accepted in between.
An id is only ever trusted after the row it points to was seen to hold the very same id.
"""

from functools import lru_cache
from hashlib import blake2s

KEY_BITS = 48
RANDOM_BYTES = 10  # 74 of these 80 bits are used

_TAIL = (1 << 42) - 1
_RANDOM = 0xFFFFFFFF << 48 | _TAIL
_UUID8 = 0x8 << 76 | 0b10 << 62


def mint(key: int, random: bytes, secret: bytes) -> str:
    """The id of row `key`; `random` is RANDOM_BYTES of chance, `secret` the store's own 16 bytes."""
    chosen = int.from_bytes(random, "big") & _RANDOM
    blurred = key ^ _blur(chosen, secret)
    number = chosen >> 48 << 96 | blurred >> 32 << 80 | (blurred & 0xFFF00000) << 44
    number |= (blurred & 0xFFFFF) << 42 | chosen & _TAIL | _UUID8
    text = number.to_bytes(16, "big").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def key_of(id: str, secret: bytes) -> int | None:
    """The row that `id` points to, or None where it is not spelled like one of ours."""
    if len(id) != 36 or id[8] != "-" or id[13] != "-" or id[18] != "-" or id[23] != "-":
        return None
    digits = id.replace("-", "")
    if len(digits) != 32 or not set(digits) <= _HEX:
        return None
    number = int(digits, 16)
    if (number >> 76) & 0xF != 0x8 or (number >> 62) & 0b11 != 0b10:
        return None
    chosen = number >> 96 << 48 | number & _TAIL
    blurred = ((number >> 80) & 0xFFFF) << 32 | ((number >> 64) & 0xFFF) << 20 | (number >> 42) & 0xFFFFF
    return blurred ^ _blur(chosen, secret)


_HEX = frozenset("0123456789abcdef")


def _blur(chosen: int, secret: bytes) -> int:
    hash = _keyed(secret).copy()
    hash.update(chosen.to_bytes(RANDOM_BYTES, "big"))
    return int.from_bytes(hash.digest(), "big")


@lru_cache(maxsize=16)
def _keyed(secret: bytes) -> blake2s:
    """Hashing that has begun with a store's secret: to be copied, never updated."""
    return blake2s(key=secret, digest_size=KEY_BITS // 8)
