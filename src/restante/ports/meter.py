"""Who counts what happens, so that others may watch it. What is told here changes nothing."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ..core.model import Change
from ..core.policy import Route


class Meter(Protocol):
    """Takes what has happened. Never waits, never raises."""

    def accepted(self, route: Route, count: int) -> None:
        """So many submissions are on disk."""
        ...

    def replayed(self) -> None:
        """An accept was answered with that of an earlier, equal one."""
        ...

    def refused(self, reason: str) -> None:
        """Something was not accepted; `reason` is the last part of its problem's type."""
        ...

    def changed(self, change: Change, route: Route) -> None:
        """It is on disk."""
        ...

    def attempted(self, upstream: str, result: str, span: int) -> None:
        """An attempt at an upstream, from its first byte to the last of the answer, took `span` microseconds.
        `result` is the answer's class ("2xx"), or why there is none."""
        ...

    def lease_lost(self, upstream: str) -> None:
        """An attempt was somebody else's by the time it was to be settled, or its process is gone."""
        ...

    def delivered(self, outcome: str, span: int) -> None:
        """An attempt at a webhook: "delivered", "missed" (it is tried again), "dead" (it is not)."""
        ...

    def committed(self, writes: int) -> None:
        """A commit of the store, of so many writes."""
        ...


class Unmetered:
    """Counts nothing."""

    def accepted(self, route: Route, count: int) -> None: ...

    def replayed(self) -> None: ...

    def refused(self, reason: str) -> None: ...

    def changed(self, change: Change, route: Route) -> None: ...

    def attempted(self, upstream: str, result: str, span: int) -> None: ...

    def lease_lost(self, upstream: str) -> None: ...

    def delivered(self, outcome: str, span: int) -> None: ...

    def committed(self, writes: int) -> None: ...


class Gauge(msgspec.Struct, frozen=True):
    """A number that is read where it is asked for. Its unit is the name's last word."""

    name: str
    about: str
    values: dict[str, float]  # by upstream; "" where it is about no upstream


class Exposition(Protocol):
    """Writes the figures down for whoever collects them."""

    def write(self, accept: str, gauges: Sequence[Gauge]) -> tuple[bytes, str]:
        """Counts and these numbers, in the form that an `Accept` field asks for, and its media type."""
        ...


UNMETERED = Unmetered()
