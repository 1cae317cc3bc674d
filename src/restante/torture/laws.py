"""The ten laws, each a function that goes through a history: for everything that it can hold against the law
it yields None where the law was kept, and a sentence where it was not.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from . import knowing, telling, working
from .history import History

EXAMPLES = 5


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one law: how often it could be held against something, and what was found."""

    law: str
    title: str
    checked: int
    violated: int
    examples: tuple[str, ...]


Law = Callable[[History], Iterator[str | None]]

LAWS: dict[str, tuple[str, Law]] = {
    "I1": ("every accepted id is known", knowing.known),
    "I2": ("a status only moves forward, an end is the end", knowing.forward),
    "I3": ("the upstream is called once where once is promised, and at all where completed", working.called),
    "I4": ("requests and results are byte for byte those of the upstream's ledger", working.verbatim),
    "I5": ("an error has one reader, and is not lost unread", knowing.read_once),
    "I6": ("equal submits with one key make one transaction", working.one_each),
    "I7": ("nothing is unknown before it expires, or there after", knowing.retained),
    "I8": ("every event is told, in sequences without gaps", telling.told),
    "I9": ("a worker that was overtaken changes nothing", working.fenced),
    "I10": ("no tenant sees another's", knowing.apart),
}


def check(history: History) -> list[Finding]:
    """Every law, in order."""
    return [_found(name, title, law(history)) for name, (title, law) in LAWS.items()]


def _found(name: str, title: str, results: Iterable[str | None]) -> Finding:
    checked = violated = 0
    examples: list[str] = []
    for wrong in results:
        checked += 1
        if wrong is not None:
            violated += 1
            if len(examples) < EXAMPLES:
                examples.append(wrong)
    return Finding(law=name, title=title, checked=checked, violated=violated, examples=tuple(examples))
