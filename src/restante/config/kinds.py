"""The kinds of values a setting can have: how each is written, read and written again.

A reader takes what a TOML file holds and gives the value used inside, or raises `ValueError` with a
phrase that says what would do. No phrase repeats what was given: it might be a secret.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..core.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from ..core.duration import FORM as DURATION_FORM
from ..core.duration import parse_duration

T_co = TypeVar("T_co", covariant=True)

LONGEST = 36500 * DAY
"""No span is longer, so that moments stay within 64 bits and four-digit years."""

LARGEST = 1024**4
"""No size is larger: 1024 GiB."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """`form` is its name in the reference, `metavar` in the help of flags.

    `from_text` makes of a flag's or variable's text what a file would hold; what it cannot make sense
    of it leaves as it is, for `read` to refuse.
    """

    form: str
    read: Callable[[object], T_co]
    from_text: Callable[[str], object] = str
    metavar: str = "TEXT"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text in quotes")
    if not value or not value.isprintable():
        raise ValueError("expected text: at least one character, no control characters")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _flag_text(text: str) -> object:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
        text.lower(), text
    )


def _number_text(text: str) -> object:
    return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else text


def whole(least: int, most: int) -> Kind[int]:
    """A whole number from `least` to `most`."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return value

    return Kind("number", read, _number_text, "NUMBER")


def code(*codes: int) -> Kind[int]:
    """One of a few HTTP codes."""
    listed = " or ".join(str(one) for one in codes)

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value not in codes:
            raise ValueError(f"expected {listed}")
        return value

    return Kind(listed, read, _number_text, "CODE")


def choice(*words: str, later: Mapping[str, str] | None = None) -> Kind[str]:
    """One of `words`. `later` holds those that are known but not part of this version, and what they are."""
    quoted = [f'"{word}"' for word in words]
    expected = " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)

    def read(value: object) -> str:
        if isinstance(value, str):
            if value in words:
                return value
            if later and value in later:
                raise ValueError(f"{later[value]} is not part of this version; expected {expected}")
        raise ValueError(f"expected {expected}")

    return Kind(" or ".join(f"`{word}`" for word in words), read, metavar="|".join(words))


def span(least: int, bound: str) -> Kind[int]:
    """A duration, in microseconds, not below `least`; `bound` says so in words."""

    def read(value: object) -> int:
        if not isinstance(value, str):
            raise ValueError(f"expected {DURATION_FORM}, in quotes")
        microseconds = parse_duration(value)
        if microseconds < least:
            raise ValueError(f"expected a duration {bound}")
        if microseconds > LONGEST:
            raise ValueError(f"expected a duration of at most {spell_duration(LONGEST)}")
        return microseconds

    return Kind("duration", read, metavar="DURATION")


def spell_duration(microseconds: int) -> str:
    """The shortest form that `parse_duration` reads back."""
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if microseconds % size == 0 and microseconds >= (2 * size if unit == "d" else size):
            return f"{microseconds // size}{unit}"
    return f"{microseconds // MILLISECOND}ms"


_SIZE = re.compile(r"([0-9]{1,15})(B|KiB|MiB|GiB)?")
_SIZE_UNITS = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE_FORM = "a size such as 64KiB, 16MiB or 1GiB, or a number of bytes"


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        size = int(match[1]) * _SIZE_UNITS[match[2]]
    else:
        raise ValueError(f"expected {_SIZE_FORM}")
    if not 1 <= size <= LARGEST:
        raise ValueError(f"expected a size from 1 byte to {spell_size(LARGEST)}")
    return size


def spell_size(size: int) -> str:
    """The shortest form that is read back as `size`."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return str(size)


_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)/([smh])")
_RATE_UNITS = {"s": 1, "m": 60, "h": 3600}


def _rate(value: object) -> float:
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not float(match[1]):
        raise ValueError("expected a rate such as 100/s, 600/m or 50/h, more than 0")
    return float(match[1]) / _RATE_UNITS[match[2]]


TEXT = Kind("text", _text)
FLAG = Kind("true or false", _flag, _flag_text)
SIZE = Kind("size", _size, metavar="SIZE")
RATE = Kind("rate", _rate, metavar="RATE")
