"""What happened to one transaction, drawn to scale: stretches of time made of its events and attempts."""

from collections.abc import Sequence

import msgspec

from ..core.delivery import Attempt, Delivery
from ..core.machine import TERMINAL
from ..core.model import Event, Transaction
from ..core.status import EventKind

WIDTH = 1000
LEAST = 3
"""So wide is a stretch at least, that it is seen."""

MOST = 200
"""Stretches of one lane that are drawn."""


class Stretch(msgspec.Struct, frozen=True):
    """From one moment to another; `kind` is the name of its looks."""

    kind: str
    label: str
    start: int
    end: int

    @property
    def span(self) -> int:
        return self.end - self.start


class Lane(msgspec.Struct, frozen=True):
    """Stretches of one kind. `total` is how long they are together."""

    name: str
    stretches: list[Stretch]

    @property
    def total(self) -> int:
        return sum(one.span for one in self.stretches)


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    start: int
    end: int
    lanes: list[Lane]

    @property
    def span(self) -> int:
        return max(self.end - self.start, 1)

    def x(self, moment: int) -> float:
        return round((moment - self.start) / self.span * WIDTH, 2)

    def width(self, one: Stretch) -> float:
        return round(max((one.end - one.start) / self.span * WIDTH, LEAST), 2)

    def left(self, one: Stretch) -> float:
        """Where it is drawn: not over the end, however short it is."""
        return min(self.x(one.start), WIDTH - self.width(one))


def timeline(
    transaction: Transaction,
    log: Sequence[Event],
    sent: Sequence[tuple[Delivery, Sequence[Attempt]]],
    *,
    now: int,
) -> Timeline:
    """`sent` are its deliveries, with what came of their attempts."""
    ended = transaction.status in TERMINAL
    last = max([event.created_at for event in log], default=transaction.created_at)
    end = last if ended else max(now, last)
    waiting, attempts, upstream = _stretches(transaction, log, end)
    hooks = [
        Stretch(
            "completed" if attempt.code is not None and 200 <= attempt.code < 300 else "failed",
            f"attempt {attempt.number}: {attempt.code or attempt.carried}",
            attempt.at,
            attempt.at + attempt.duration,
        )
        for _, tries in sent
        for attempt in tries
    ]
    lanes = [
        Lane("Waiting", waiting),
        Lane("Attempts", attempts),
        Lane("With the upstream", upstream),
        Lane("Webhooks", hooks),
    ]
    lanes = [Lane(lane.name, lane.stretches[:MOST]) for lane in lanes if lane.stretches]
    latest = max([one.end for lane in lanes for one in lane.stretches], default=end)
    return Timeline(start=transaction.created_at, end=max(end, latest), lanes=lanes)


def _stretches(
    transaction: Transaction, log: Sequence[Event], end: int
) -> tuple[list[Stretch], list[Stretch], list[Stretch]]:
    """Of waiting, of attempts, and of work that the upstream has taken over."""
    waiting: list[Stretch] = []
    attempts: list[Stretch] = []
    upstream: list[Stretch] = []
    lane, kind, label, since = waiting, "pending", "waits for its turn", transaction.created_at

    def close(moment: int, looks: str | None = None) -> None:
        if moment > since or lane is attempts:
            lane.append(Stretch(looks or kind, label, since, moment))

    for event in log:
        data = event.data or {}
        moment = event.created_at
        if event.sequence == 1:
            continue
        if event.kind is EventKind.DELAY:
            close(moment, "failed" if lane is attempts else None)
            what = "waits for the look-up" if "lookup" in data else "waits for the next attempt"
            lane, kind, label, since = waiting, "pending", what, moment
        elif event.status in TERMINAL:
            if event.kind is not EventKind.INFO:
                close(moment, event.status if lane is not waiting else None)
                return waiting, attempts, upstream
        elif data.get("deferred"):
            close(moment, "completed")
            lane, kind, label, since = upstream, "processing", "the upstream will report", moment
        elif "attempt" in data:
            close(moment)
            lane, kind, label, since = attempts, "processing", f"attempt {data['attempt']}", moment
    if transaction.status not in TERMINAL:
        close(end)
    return waiting, attempts, upstream
