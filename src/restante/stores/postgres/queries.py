"""The statements in queries.sql, by name.

Each is whole in itself: one statement is one round trip and, where it writes, one commit. So no transaction,
no lock and no setting is kept from one to the next, and any connection, a pooler's too, will do for each.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from ..statements import read_statements
from .keys import DAY_HOURS, parted, within
from .places import place

_WINDOWS = {":days": DAY_HOURS, ":hours": 1}
"""What in a text stands for two keys, and in partitions of how many hours the keys lie between them."""

_PLACES = {":transactions": "transactions"}

_TEXTS = 1024


_DELIVERIES = re.compile(r":deliveries\((\w+), (\d+)\)")
_NUMBER = re.compile(r"\$(\d+)")
_FORGETTING = re.compile(r":forgetting\((\w+), (\d+)\)")
TELLING = "_telling"
"""The end of the names of statements that write deliveries with what these tell of."""
FORGETTING = "_forgetting"
"""The end of the names of those that do, and replace header fields of requests as well."""


def _told(queries: dict[str, str]) -> dict[str, str]:
    """Each statement that may do more in several texts, so that it says no word of what it does not."""
    deliveries, headers = queries.pop("deliveries"), queries.pop("headers")
    for name, text in list(queries.items()):
        telling, forgetting = _DELIVERIES.search(text), _FORGETTING.search(text)
        if telling is None:
            continue
        told = f", told AS (\n{_part(deliveries, telling)}\n)"
        if forgetting is not None:
            forgot = f", forgot AS (\n{_part(headers, forgetting)}\n)"
            queries[name + FORGETTING] = text.replace(telling[0], told).replace(forgetting[0], forgot)
            text = text.replace(forgetting[0], "")
        queries[name] = text.replace(telling[0], "")
        queries[name + TELLING] = text.replace(telling[0], told)
    return queries


def _part(text: str, found: re.Match[str]) -> str:
    """The text as a part of another: about what that has written, its parameters numbered from there."""
    before = int(found[2]) - 1
    pieces = _NUMBER.split(text)
    pieces[1::2] = [f"${before + int(number)}" for number in pieces[1::2]]
    return "".join(pieces).replace(":written", found[1])


QUERIES = _told(read_statements(Path(__file__).with_name("queries.sql")))

_OPEN = {name: tuple(one for one in (*_WINDOWS, *_PLACES) if one in text) for name, text in QUERIES.items()}
"""What in each text stands for something else; in most nothing does."""


def query(name: str, keys: Sequence[int] = ()) -> str:
    """The text of a statement about these keys; of none: about all there are."""
    there = _OPEN[name]
    return _filled(name, tuple(_meaning(one, keys) for one in there)) if there else QUERIES[name]


def parts(name: str, keys: Iterable[int]) -> list[list[int]]:
    """The keys in as many parts as it takes for each to be looked up in few partitions. A statement opens,
    and locks, all that its keys may lie in; of a long retention that would be hundreds."""
    return parted(keys, min(_WINDOWS[one] for one in _OPEN[name] if one in _WINDOWS))


def _meaning(one: str, keys: Sequence[int]) -> str:
    if one in _PLACES:
        return place(_PLACES[one], keys)
    first, last = within(keys, _WINDOWS[one])
    return f"{first} AND {last}"


@lru_cache(maxsize=_TEXTS)
def _filled(name: str, meanings: tuple[str, ...]) -> str:
    text = QUERIES[name]
    for one, meaning in zip(_OPEN[name], meanings, strict=True):
        text = text.replace(one, meaning)
    return text
