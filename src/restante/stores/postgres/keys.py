"""Row keys that say when what is kept under them expires, so that a key leads to its partition.

    20 bits hour │ 18 bits block │ 10 bits place in the block

`hour` counts from 1970 and is the one in which the result expires, as far as is known when the key is made. A
process has a block to itself; blocks come round again after 268 million keys, so a number is good for an hour
only. Smaller keys are plain: counted from 1, by another store or by a version before partitions.
"""

from collections.abc import Iterable, Sequence

from ...core.clock import HOUR

BLOCK = 1024
"""Numbers per value of the sequence `blocks`."""

NUMBER_BITS = 28
DAY_HOURS = 24

FIRST_HOUR = 10_923 * DAY_HOURS
"""Keys below that of this hour, in 1999, are plain."""

LAST_HOUR = (1 << 20) - 1
"""In 2089; what expires later is kept with it."""

LAST_KEY = ((LAST_HOUR + 1) << NUMBER_BITS) - 1
LAST_PLAIN = (FIRST_HOUR << NUMBER_BITS) - 1


def key_for(number: int, expires_at: int) -> int:
    return min(max(expires_at // HOUR, FIRST_HOUR), LAST_HOUR) << NUMBER_BITS | number


def keys_of(hour: int, hours: int) -> tuple[int, int]:
    """The first and the last key of so many hours."""
    return hour << NUMBER_BITS, ((hour + hours) << NUMBER_BITS) - 1


def hour_of(key: int) -> int | None:
    """None for a plain key."""
    return None if key <= LAST_PLAIN else key >> NUMBER_BITS


WIDE = 24
"""So many partitions are opened together where two are too few; twice as many at most."""


def within(keys: Sequence[int], hours: int) -> tuple[int, int]:
    """Two keys between which these are, and with them few partitions of so many hours; never many different
    ones, since each pair makes another text of a statement."""
    if not keys:
        return 0, LAST_KEY
    first, last = min(keys), max(keys)
    if last <= LAST_PLAIN:
        return 0, LAST_PLAIN
    for step in (hours, hours * WIDE) if first > LAST_PLAIN else ():
        begin, end = ((key >> NUMBER_BITS) // step * step for key in (first, last))
        if end - begin <= step:
            return keys_of(begin, end - begin + step)
    return 0, LAST_KEY


def parted(keys: Iterable[int], hours: int) -> list[list[int]]:
    """The same keys in parts, each of which lies within few partitions: all in one, if they do."""
    some = list(keys)
    if within(some, hours) != (0, LAST_KEY):
        return [some]
    parts: dict[int | None, list[int]] = {}
    for key in some:
        hour = hour_of(key)
        parts.setdefault(None if hour is None else hour // (hours * WIDE), []).append(key)
    return list(parts.values())
