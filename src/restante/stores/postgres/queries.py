"""The statements in queries.sql, by name.

Each is whole in itself: one statement is one round trip and, where it writes, one commit. So no transaction,
no lock and no setting is kept from one to the next, and any connection, a pooler's too, will do for each.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from .keys import DAY_HOURS, within

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)

_WINDOWS = {":days": DAY_HOURS, ":hours": 1}
"""What in a text stands for two keys, and in partitions of how many hours the keys lie between them."""

_TEXTS = 1024


def _load(text: str) -> dict[str, str]:
    parts = _NAME.split(text)[1:]
    return {
        name: "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


QUERIES = _load(Path(__file__).with_name("queries.sql").read_text(encoding="utf-8"))

_WINDOW_OF = {name: next((one for one in _WINDOWS if one in text), None) for name, text in QUERIES.items()}


def query(name: str, keys: Sequence[int] = ()) -> str:
    """The text of a statement about these keys; of none: about all there are."""
    window = _WINDOW_OF[name]
    return QUERIES[name] if window is None else _between(name, window, *within(keys, _WINDOWS[window]))


@lru_cache(maxsize=_TEXTS)
def _between(name: str, window: str, first: int, last: int) -> str:
    return QUERIES[name].replace(window, f"{first} AND {last}")
