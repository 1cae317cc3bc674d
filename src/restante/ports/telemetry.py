"""Who is told what happens, so that people may watch it: it changes nothing."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ..core.delivery import Attempt
from ..core.model import Change, Transaction
from ..core.outbox import Errand
from ..core.policy import Route


class Telemetry(Protocol):
    """Takes what has happened. Never waits, never raises."""

    def accepted(self, route: Route, transactions: Sequence[Transaction]) -> None:
        """These, all of the route, are on disk."""
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

    def attempted(
        self, transaction: Transaction, attempt: int, result: str, *, began: int, ended: int
    ) -> None:
        """An attempt at its upstream is over: between its first byte and the last of the answer, or between
        asking for a connection and being refused one. `result` is the answer's class ("2xx"), or the outcome
        that stands for none."""
        ...

    def lease_lost(self, upstream: str) -> None:
        """An attempt was somebody else's by the time it was to be settled, or its process is gone."""
        ...

    def delivered(self, errand: Errand, attempt: Attempt, outcome: str) -> None:
        """An attempt at a webhook is over: "delivered", "missed" (it is tried again), "dead" (it is not)."""
        ...

    def committed(self, writes: int) -> None:
        """A commit of the store, of so many writes."""
        ...


class Silence:
    """Tells nobody."""

    def accepted(self, route: Route, transactions: Sequence[Transaction]) -> None: ...

    def replayed(self) -> None: ...

    def refused(self, reason: str) -> None: ...

    def changed(self, change: Change, route: Route) -> None: ...

    def attempted(
        self, transaction: Transaction, attempt: int, result: str, *, began: int, ended: int
    ) -> None: ...

    def lease_lost(self, upstream: str) -> None: ...

    def delivered(self, errand: Errand, attempt: Attempt, outcome: str) -> None: ...

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


SILENCE = Silence()
