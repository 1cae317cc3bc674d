"""The statements in queries.sql, by name, and the same for many rows at once.

A statement is one step of SQLite's machine, and at each step the interpreter's lock is let go and has
to be won back from a busy event loop. So many rows go into one statement: `many` cuts them into groups of
a few sizes, for each of which there is one prepared text.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ..statements import read_statements

_ROW = re.compile(r"(?<=VALUES )\((?:\?, )*\?\)")
_SIZES = (64, 32, 16, 8, 4, 2, 1)


QUERIES = read_statements(Path(__file__).with_name("queries.sql"))


def _repeat(name: str) -> tuple[str, ...]:
    text = QUERIES[name]
    row = _ROW.search(text)
    assert row, f"{name} takes one row only"
    return tuple(_ROW.sub(", ".join([row[0]] * size), text) for size in _SIZES)


_REPEATED = {name: _repeat(name) for name, text in QUERIES.items() if _ROW.search(text)}


def many(name: str, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, list[Any], int]]:
    """Text, bindings and number of rows of the statements that do `name` to all `rows`, in order."""
    texts = _REPEATED[name]
    start = 0
    total = len(rows)
    for text, size in zip(texts, _SIZES, strict=True):
        while total - start >= size:
            yield text, list(chain.from_iterable(rows[start : start + size])), size
            start += size


def numbers(keys: Sequence[int]) -> str:
    """A list of keys as the JSON array that `json_each` reads."""
    return f"[{','.join(map(str, keys))}]"
