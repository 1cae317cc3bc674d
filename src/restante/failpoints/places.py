"""Where a point stands: before or after a call of a function of the product, and which calls are meant."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from ..core.delivery import Progress, State
from ..core.machine import TERMINAL
from ..core.model import Change
from ..core.status import Outcome, Phase, Status

SQLITE, POSTGRES = "stores.sqlite.", "stores.postgres."


class Edge(StrEnum):
    BEFORE = "before"
    AFTER = "after"  # it has returned, and not raised
    TOLD = "told by"  # it calls what it was given last, which takes one value


class Seen(msgspec.Struct, frozen=True):
    """A call. `given` begins with `self` where it is a method's; `value` is what it returned or told, None
    before."""

    given: tuple[Any, ...]
    named: Mapping[str, Any]
    value: Any = None


Condition = Callable[[Seen], bool]


class Place(msgspec.Struct, frozen=True):
    """`function` is a name below `restante`: `runner.attempt:Attempts.run`. None of `only`: every call."""

    edge: Edge
    function: str
    only: Condition | None = None

    def __str__(self) -> str:
        return f"{self.edge} {self.function}"


class Point(msgspec.Struct, frozen=True):
    """`means` says what has happened when it strikes, and what has not."""

    name: str
    means: str
    places: tuple[Place, ...]

    @property
    def stores(self) -> tuple[str, ...]:
        """The kinds of stores with which it is ever reached."""
        named = [
            name
            for name, room in (("sqlite", SQLITE), ("postgres", POSTGRES))
            if all(place.function.startswith(room) for place in self.places)
        ]
        return tuple(named) or ("sqlite", "postgres")


def before(function: str, only: Condition | None = None) -> Place:
    return Place(Edge.BEFORE, function, only)


def after(function: str, only: Condition | None = None) -> Place:
    return Place(Edge.AFTER, function, only)


def in_stores(edge: Edge, sqlite: str, postgres: str, only: Condition | None = None) -> tuple[Place, ...]:
    """The same step in both stores."""
    return Place(edge, SQLITE + sqlite, only), Place(edge, POSTGRES + postgres, only)


# -- which calls are meant


def brings(seen: Seen) -> bool:
    """It returned or told something."""
    return bool(seen.value)


def is_there(seen: Seen) -> bool:
    """It returned something, be it 0."""
    return seen.value is not None


def has(**named: object) -> Condition:
    """It was called with these arguments by name."""
    return lambda seen: all(seen.named.get(name) == value for name, value in named.items())


def sends(field: bytes) -> Condition:
    """The second argument is a request's head with this field."""
    return lambda seen: b"\r\n" + field + b":" in seen.given[1].lower()


def writes(kind: str) -> Condition:
    """The second argument is a group of jobs, one of which is of this kind, and was done."""
    return lambda seen: any(job.kind == kind and job.error is None for job in seen.given[1])


def changes(kind: str) -> Condition:
    """The second argument is changes or one, some of this kind (`kind_of`); afterwards: and applied."""
    return _any(lambda change: kind_of(change) == kind)


def settles(fate: str) -> Condition:
    """The second argument is what deliveries come to, one of them this (`fate_of`); afterwards: applied."""
    return _any(lambda progress: fate_of(progress) == fate)


def _any(fits: Callable[[Any], bool]) -> Condition:
    def found(seen: Seen) -> bool:
        some = seen.given[1]
        if not isinstance(some, Sequence):
            return fits(some) and seen.value in (None, True)
        done = [True] * len(some) if seen.value is None else seen.value
        return any(fits(one) and yes for one, yes in zip(some, done, strict=True))

    return found


def kind_of(change: Change) -> str:
    """Every change of a transaction is of one of these kinds."""
    start, end = change.before, change.after
    if start.status in TERMINAL:
        return "note"
    if end.status is Status.CANCELLED:
        return "cancel"
    if end.status in TERMINAL:
        return "expiry" if end.outcome is Outcome.EXPIRED else "end"
    if (start.phase, start.attempt, start.due_at) == (end.phase, end.attempt, end.due_at):
        return "progress"
    return {
        Phase.SENDING: "mark",
        Phase.WAITING: "retry",
        Phase.DEFERRED: "deferral",
        Phase.LOOKING: "question",
    }[end.phase]


def fate_of(progress: Progress) -> str:
    """The same of what becomes of a delivery."""
    match progress.after.state:
        case State.DELIVERED:
            return "arrival"
        case State.DEAD:
            return "dead_letter"
        case _:
            return "replay" if progress.before.state in (State.DELIVERED, State.DEAD) else "miss"
