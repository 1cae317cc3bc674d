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


def mint(key: int, random: bytes, secret: bytes) -> str:
    """The id of row `key`; `random` is RANDOM_BYTES of chance, `secret` the store's own 16 bytes."""
    head = random[:4]
    tail = int.from_bytes(random[4:10], "big") & _TAIL
    blurred = key ^ _blur(head, tail, secret)
    low = blurred & 0xFFFFF
    return "%08x-%04x-8%03x-%04x-%012x" % (  # noqa: UP031
        int.from_bytes(head, "big"),
        blurred >> 32,
        (blurred >> 20) & 0xFFF,
        0x8000 | low >> 6,
        (low & 0x3F) << 42 | tail,
    )


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
    head = (number >> 96).to_bytes(4, "big")
    tail = number & _TAIL
    blurred = ((number >> 80) & 0xFFFF) << 32 | ((number >> 64) & 0xFFF) << 20 | (number >> 42) & 0xFFFFF
    return blurred ^ _blur(head, tail, secret)


_HEX = frozenset("0123456789abcdef")


def _blur(head: bytes, tail: int, secret: bytes) -> int:
    hash = _keyed(secret).copy()
    hash.update(head + tail.to_bytes(6, "big"))
    return int.from_bytes(hash.digest(), "big")


@lru_cache(maxsize=16)
def _keyed(secret: bytes) -> blake2s:
    """Hashing that has begun with a store's secret: to be copied, never updated."""
    return blake2s(key=secret, digest_size=KEY_BITS // 8)
