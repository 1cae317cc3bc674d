"""What people are shown of documents that may hold card numbers and other things that are nobody's business.

Two rules. A configured JSON pointer hides what it points to, whatever that is. And wherever it stands, a
number of 13 to 19 digits that passes the Luhn check (ISO/IEC 7812-1), and that is no part of a longer number,
keeps its first six and last four digits: what PCI DSS 3.4.1 allows to be displayed. Between digits may be
single spaces or dashes, and between groups of four and more also what else people and encodings write there
(`WIDE`). A number that only looks like one is masked too: it costs a reader little.

This is for eyes. What goes to programs is not changed (docs/why/0016-masking.md).
"""

import codecs
import json
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import jsonpointer
import msgspec

from .pointer import NOTHING, decode

HIDDEN = "…"

MAX_SHOWN = 256 * 1024
"""Characters of a text that are looked through, and shown; more are cut off."""

MAX_DEPTH = 100
"""Levels of a document that are shown; what is deeper is hidden."""

DATA, ERROR = "data", "error_message"
"""Names under which a record of ours holds a document of others', and an upstream's error as text."""

Parts = list[list[str]]
"""JSON pointers, taken apart."""

_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[\[{]")

SHORTEST, LONGEST = 13, 19
FIRST, LAST = 6, 4

WIDE = r"[ \t\u00a0.+_-]{1,3}|%20|%2[BbDd]|%09|&#32;|&#x20;|&nbsp;"
"""What may be between groups of a card number; each of the groups before it has four digits or more."""

_RUN = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])"  # a UUID is none
    rf"|([0-9](?:(?:[ -](?=[0-9])|(?<=[0-9]{{4}})(?:{WIDE})(?=[0-9]{{3}}))?[0-9]){{12,}}+)"
)
_DIGIT = re.compile(rf"{WIDE}|([0-9])")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def masked_text(text: str) -> str:
    """`text` without card numbers, and cut to MAX_SHOWN."""
    cut = text[:MAX_SHOWN]
    shown = _RUN.sub(lambda match: _masked_run(match[1]) if match[1] else match[0], cut)
    return shown if len(cut) == len(text) else f"{shown}{HIDDEN}"


def masked(document: Any, pointers: Sequence[str] = ()) -> Any:
    """A copy of a JSON document for people: what `pointers` (RFC 6901) point to hidden, cards masked."""
    hidden = _parts(pointers)
    return _copy(document, hidden, hidden, 0)


def masked_record(record: Any, pointers: Sequence[str] = ()) -> Any:
    """A copy of a record of ours for people, where `pointers` count from each `data` in it: what callers and
    upstreams wrote."""
    return _copy(record, [], _parts(pointers), 0, record=True)


def masked_body(body: bytes, pointers: Sequence[str] = ()) -> bytes:
    """The same for a body. JSON of which something is hidden is written anew, anything else as it came. What
    begins like JSON and cannot be read is hidden where there are pointers: who knows what they point to."""
    document = _decoded(body)
    if document is not NOTHING:
        shown = masked(document, pointers)
        if shown != document:
            return msgspec.json.format(msgspec.json.encode(shown))
    elif pointers and _FIRST.match(body):
        return HIDDEN.encode()
    text = body[: MAX_SHOWN + 1].decode("latin-1")
    shown = masked_text(text)
    return body if shown == text else shown.replace(HIDDEN, "...").encode("latin-1")


def _decoded(body: bytes) -> Any:
    """The JSON document in a body, also with a byte order mark, or with numbers that are none."""
    if len(body) > MAX_SHOWN:
        return NOTHING
    text = body.removeprefix(codecs.BOM_UTF8)
    document = decode(text)
    if document is NOTHING and _FIRST.match(text):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return NOTHING
    return document


def _told(text: str, everywhere: Parts) -> str:
    """An upstream's error: a document of its own, where it is one."""
    if not everywhere:
        return masked_text(text)
    pointers = [jsonpointer.JsonPointer.from_parts(parts).path for parts in everywhere]
    return masked_body(text.encode("utf-8", "surrogatepass"), pointers).decode("utf-8", "replace")


def _copy(value: Any, hidden: Parts, everywhere: Parts, depth: int, *, record: bool = False) -> Any:
    """`everywhere`: what is hidden in each document that is found on the way, which in a record are its
    `data`."""
    if [] in hidden or depth > MAX_DEPTH:
        return HIDDEN
    match value:
        case str():
            return masked_text(value)
        case bool():
            return value
        case int() | float():
            text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
            shown = masked_text(text)
            return value if shown == text else shown
        case dict():
            copy = {}
            for key, one in value.items():
                name = str(key)
                below = _below(hidden, name)
                if record and name == DATA:
                    kept = _copy(one, everywhere, everywhere, depth + 1, record=False)
                elif name == ERROR and isinstance(one, str) and [] not in below:
                    kept = _told(one, everywhere)
                else:
                    kept = _copy(one, below, everywhere, depth + 1, record=record)
                copy[masked_text(name)] = kept
            return copy
        case list() | tuple():
            return [
                _copy(one, _below(hidden, str(place)), everywhere, depth + 1, record=record)
                for place, one in enumerate(value)
            ]
    return value


def _parts(pointers: Sequence[str]) -> Parts:
    return [jsonpointer.JsonPointer(pointer).parts for pointer in pointers]


def _below(hidden: Parts, name: str) -> Parts:
    return [parts[1:] for parts in hidden if parts[0] == name] if hidden else hidden


def _masked_run(run: str) -> str:
    """Digits in groups: whichever groups in a row make a card number are masked.

    Sums are kept for both parities, so that any stretch of digits is judged in one step.
    """
    places = [match.start() for match in _DIGIT.finditer(run) if match[1]]
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
