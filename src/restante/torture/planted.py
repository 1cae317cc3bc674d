"""A word that is in every request and every result, and where it must not be: in logs of servers, and, where
the store is sealed, in any of its files."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

WORD = b"planted-and-not-to-be-found"
PIECE = 1024 * 1024


def planted(chance: Random, size: int) -> bytes:
    """Bytes that nobody else has, the word among them; none at all where none are asked for."""
    return WORD + chance.randbytes(size) if size else b""


def scanned(places: list[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file at or below these, and whether the word is in it. What goes away meanwhile is left out."""
    for place in places:
        for file in sorted(one for one in (place, *place.rglob("*")) if one.is_file()):
            try:
                yield file, _has_it(file)
            except FileNotFoundError:
                continue


def _has_it(file: Path) -> bool:
    before = b""
    with file.open("rb") as content:
        while piece := content.read(PIECE):
            if WORD in before + piece:
                return True
            before = piece[-len(WORD) :]
    return False
