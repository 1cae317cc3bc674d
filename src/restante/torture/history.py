"""All journals together, joined by what they are about. Pure: made of entries, and asked by the laws."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from .journal import (
    CLOCK,
    Act,
    AnyEntry,
    Call,
    Delivery,
    Endpoint,
    Fed,
    Hit,
    Kept,
    Look,
    Question,
    Receipt,
    Record,
    Reported,
    Scanned,
    Streamed,
    Submit,
)

Kind = TypeVar("Kind", bound=AnyEntry)

UNKNOWN = "unknown"
TOO_EARLY = 425
NOT_FOUND = 404
NOT_NOW = 503
"""The store is away: nothing is said about what was asked for."""

SLACK_SECONDS = 0.25
"""So far two clocks that should be one may be apart, and a jump from where it was noted."""

AFTERWARDS_SECONDS = 2.0
"""For how long a fault that is over may still explain what was under way."""


class History:
    """The entries by kind, in the order of their beginnings, and the joins that laws ask for."""

    def __init__(self, entries: Iterable[AnyEntry]) -> None:
        in_order = sorted(entries, key=lambda one: one.at)

        def of(kind: type[Kind]) -> list[Kind]:
            return [entry for entry in in_order if isinstance(entry, kind)]

        self.submits = of(Submit)
        self.acts = of(Act)
        self.calls = of(Call)
        self.receipts = of(Receipt)
        self.scanned = of(Scanned)
        self.streams = of(Streamed)
        self.reports_of: dict[str, list[Reported]] = defaultdict(list)
        for report in of(Reported):
            self.reports_of[report.transaction].append(report)
        self.questions_of: dict[str, list[Question]] = defaultdict(list)
        for question in of(Question):
            self.questions_of[question.transaction].append(question)
        self.hits = of(Hit)
        self.endpoints = of(Endpoint)
        self.deliveries = list({(one.endpoint, one.id): one for one in of(Delivery)}.values())  # as last seen
        self.fed = of(Fed)
        self.kept = of(Kept)
        self.records = {record.id: record for record in of(Record)}
        self.call_of_number = {call.number: call for call in self.calls}
        self.calls_of: dict[str, list[Call]] = defaultdict(list)
        for call in self.calls:
            self.calls_of[call.transaction].append(call)
        self.tenant_of_op = {submit.op: submit.tenant for submit in self.submits}
        self.owner_of = {record.id: record.tenant for record in self.records.values()}
        self.owner_of |= {one.id: one.tenant for one in self.submits if one.id is not None}
        self.owner_of |= {act.made: act.tenant for act in self.acts if act.made is not None}
        self.looks: list[Look] = []  # of owners
        self.foreign: list[Look | Act] = []
        self.looks_of: dict[str, list[Look]] = defaultdict(list)
        for look in of(Look):
            if look.tenant == self.owner_of.get(look.id):
                self.looks.append(look)
                self.looks_of[look.id].append(look)
            else:
                self.foreign.append(look)
        self.foreign += [act for act in self.acts if act.tenant != self.owner_of.get(act.id)]
        self._jumps = [hit for hit in self.hits if hit.kind == CLOCK]

    def servers_time(self, at: float, until: float) -> tuple[float, float]:
        """Between which moments of the servers' clock a span of ours lies."""
        before = [jump.amount for jump in self._jumps if jump.until + SLACK_SECONDS < at][-1:] or [0.0]
        meanwhile = [
            jump.amount
            for jump in self._jumps
            if jump.at - SLACK_SECONDS <= until and jump.until + SLACK_SECONDS >= at
        ]
        offsets = before + meanwhile
        return at + min(offsets), until + max(offsets)

    def own_time(self, at: float, until: float) -> tuple[float, float]:
        """Between which moments of ours a span of the servers' clock lies, whichever jump was before."""
        offsets = [0.0, *(jump.amount for jump in self._jumps)]
        return at - max(offsets) - SLACK_SECONDS, until - min(offsets) + SLACK_SECONDS

    def latest(self, until: float) -> float:
        """The latest that the servers' clock has shown by then: one that was put back was further once, and
        what had expired by it may be gone."""
        jumps = [jump for jump in self._jumps if jump.at <= until]
        offsets = [0.0, *(jump.amount for jump in jumps)]
        ends = [*(jump.until + SLACK_SECONDS for jump in jumps), until]
        return max(end + offset for end, offset in zip(ends, offsets, strict=True))

    def struck(self, at: float, until: float) -> bool:
        """Whether any fault may have had to do with what went on in that span."""
        return any(hit.at <= until + AFTERWARDS_SECONDS and hit.until >= at for hit in self.hits)


def is_error(look: Look) -> bool:
    """Whether a reading of a task's result got the error to its last byte."""
    if look.what != "result" or look.code is None or is_unknown(look) or look.word == "cancelled":
        return False
    return look.call is not None or look.word == "failed"


def may_have_read(look: Look) -> bool:
    """Whether it got the error, or may have: a reading of which no whole answer came."""
    return look.what == "result" and (look.code is None or is_error(look))


def is_unknown(look: Look) -> bool:
    """The server's own word that there is nothing of the kind; an upstream may say 404 too."""
    return look.code == NOT_FOUND and (look.word == UNKNOWN or look.what == "native")
