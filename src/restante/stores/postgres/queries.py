"""The statements in queries.sql, by name.

Each is whole in itself: one statement is one round trip and, where it writes, one commit. So no transaction,
no lock and no setting is kept from one to the next, and any connection, a pooler's too, will do for each.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from .keys import DAY_HOURS, within
from .places import place

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)

_WINDOWS = {":days": DAY_HOURS, ":hours": 1}
"""What in a text stands for two keys, and in partitions of how many hours the keys lie between them."""

_PLACE = ":transactions"

_TEXTS = 1024


def _load(text: str) -> dict[str, str]:
    parts = _NAME.split(text)[1:]
    return {
        name: "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


QUERIES = _load(Path(__file__).with_name("queries.sql").read_text(encoding="utf-8"))

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
