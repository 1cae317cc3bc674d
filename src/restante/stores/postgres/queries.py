"""The statements in queries.sql, by name.

Each is whole in itself: one statement is one round trip and, where it writes, one commit. So no transaction,
no lock and no setting is kept from one to the next, and any connection, a pooler's too, will do for each.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ..statements import read_statements
from .keys import DAY_HOURS, within
from .places import place

_WINDOWS = {":days": DAY_HOURS, ":hours": 1}
"""What in a text stands for two keys, and in partitions of how many hours the keys lie between them."""

_PLACE = ":transactions"

_TEXTS = 1024


_DELIVERIES = re.compile(r":deliveries\((\w+), (\d+)\)")
_NUMBER = re.compile(r"\$(\d+)")
TELLING = "_telling"
"""The end of the names of statements that write deliveries with what these tell of."""


def _told(queries: dict[str, str]) -> dict[str, str]:
    """Each statement that may write deliveries twice: with them, and without a word of them."""
    part = queries.pop("deliveries")
    for name, text in list(queries.items()):
        found = _DELIVERIES.search(text)
        if found is None:
            continue
        before = int(found[2]) - 1
        pieces = _NUMBER.split(part)
        pieces[1::2] = [f"${before + int(number)}" for number in pieces[1::2]]
        own = "".join(pieces).replace(":written", found[1])
        queries[name] = text.replace(found[0], "")
        queries[name + TELLING] = text.replace(found[0], f", told AS (\n{own}\n)")
    return queries


QUERIES = _told(read_statements(Path(__file__).with_name("queries.sql")))

_OPEN = {
    name: next((one for one in (*_WINDOWS, _PLACE) if one in text), "") for name, text in QUERIES.items()
}
"""What in each text stands for something else; in most nothing does."""


def query(name: str, keys: Sequence[int] = ()) -> str:
    """The text of a statement about these keys; of none: about all there are."""
    match _OPEN[name]:
        case "":
            return QUERIES[name]
        case ":transactions":
            return _filled(name, place("transactions", keys))
        case window:
            first, last = within(keys, _WINDOWS[window])
            return _filled(name, f"{first} AND {last}")


@lru_cache(maxsize=_TEXTS)
def _filled(name: str, what: str) -> str:
    return QUERIES[name].replace(_OPEN[name], what)
