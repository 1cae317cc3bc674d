"""What people are shown of documents that may hold card numbers and other things that are nobody's business.

Two rules. A configured JSON pointer hides what it points to, whatever that is. And wherever it stands, a
number of 13 to 19 digits that passes the Luhn check (ISO/IEC 7812-1), with single spaces or dashes between
the digits or none, and that is no part of a longer number, keeps its first six and last four digits: what PCI
DSS 3.4.1 allows to be displayed. A number that only looks like one is masked too: it costs a reader little.

This is for eyes. What goes to programs is not changed (docs/why/0016-masking.md).
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import jsonpointer
import msgspec

HIDDEN = "…"

MAX_SHOWN = 256 * 1024
"""Characters of a text that are looked through, and shown; more are cut off."""

MAX_DEPTH = 100
"""Levels of a document that are shown; what is deeper is hidden."""

SHORTEST, LONGEST = 13, 19
FIRST, LAST = 6, 4

_RUN = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])"  # a UUID is none
    r"|([0-9](?:[ -]?[0-9]){12,}+)"
)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def masked_text(text: str) -> str:
    """`text` without card numbers, and cut to MAX_SHOWN."""
    cut = text[:MAX_SHOWN]
    shown = _RUN.sub(lambda match: _masked_run(match[1]) if match[1] else match[0], cut)
    return shown if len(cut) == len(text) else f"{shown}{HIDDEN}"


def masked(document: Any, pointers: Sequence[str] = ()) -> Any:
    """A copy of a JSON document for people: what `pointers` (RFC 6901) point to hidden, cards masked."""
    return _copy(document, [jsonpointer.JsonPointer(pointer).parts for pointer in pointers], 0)


def masked_body(body: bytes, pointers: Sequence[str] = ()) -> bytes:
    """The same for a body. JSON of which something is hidden is written anew, anything else as it came."""
    if len(body) <= MAX_SHOWN:
        try:
            document = msgspec.json.decode(body)
            shown = masked(document, pointers)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return body if shown == document else msgspec.json.format(msgspec.json.encode(shown))
    return masked_text(body[: MAX_SHOWN + 1].decode("latin-1")).replace(HIDDEN, "...").encode("latin-1")


def _copy(value: Any, hidden: list[list[str]], depth: int) -> Any:
    if [] in hidden or depth > MAX_DEPTH:
        return HIDDEN
    match value:
        case str():
            return masked_text(value)
        case bool():
            return value
        case int():
            text = str(value)
            shown = masked_text(text)
            return value if shown == text else shown
        case dict():
            return {
                masked_text(str(name)): _copy(one, _below(hidden, str(name)), depth + 1)
                for name, one in value.items()
            }
        case list() | tuple():
            return [_copy(one, _below(hidden, str(place)), depth + 1) for place, one in enumerate(value)]
    return value


def _below(hidden: list[list[str]], name: str) -> list[list[str]]:
    return [parts[1:] for parts in hidden if parts[0] == name] if hidden else hidden


def _masked_run(run: str) -> str:
    """Digits in groups: whichever groups in a row make a card number are masked.

    Sums are kept for both parities, so that any stretch of digits is judged in one step.
    """
    places = [place for place, one in enumerate(run) if one not in " -"]
    digits = [int(run[place]) for place in places]
    sums = [
        list(
            accumulate((one if k % 2 == parity else _DOUBLED[one] for k, one in enumerate(digits)), initial=0)
        )
        for parity in (0, 1)
    ]
    count = len(digits)
    ends = {k + 1 for k in range(count) if k + 1 == count or places[k + 1] > places[k] + 1}
    text = list(run)
    start = 0
    while start <= count - SHORTEST:
        end = None
        if start == 0 or start in ends:
            lengths = range(min(LONGEST, count - start), SHORTEST - 1, -1)
            end = next(
                (
                    start + size
                    for size in lengths
                    if start + size in ends and not _luhn(sums[(start + size - 1) % 2], start, start + size)
                ),
                None,
            )
        if end is None:
            start += 1
            continue
        for k in range(start + FIRST, end - LAST):
            text[places[k]] = "*"
        start = end
    return "".join(text)


def _luhn(sums: list[int], start: int, end: int) -> int:
    return (sums[end] - sums[start]) % 10
