"""What went on, as numbers: how much of what, by the minute and by the hour.

Figures are counted from the feed and the events, behind whatever happens; nothing is counted when something
is accepted or ends. A figure is a count of one kind, at one upstream, of one tenant (EVERYBODY: of all), in
one minute or hour. How long something took is counted in steps that grow by a fifth (STEPS to a doubling),
so that counts of several minutes can be added and percentiles be told from the sum.
"""

import math
from collections.abc import Mapping
from enum import IntEnum

import msgspec

from .clock import MILLISECOND


class Counted(IntEnum):
    """Kinds of figures. The integers are what stores keep; none is ever reused for something else."""

    ACCEPTED = 0
    COMPLETED = 1
    FAILED = 2
    CANCELLED = 3
    DELAYED = 4  # attempts that were over without an end
    ILL = 5  # of what failed: the upstream was not reached, gave no complete answer, or one of 5xx
    UNREACHED = 6  # of these: it was not reached
    TOOK = 100  # and the steps behind it: from accept to end, of what completed or failed
    WAITED = 200  # and the steps behind it: from accept to the first attempt


STEPS = 4
"""Steps to a doubling."""

LAST_STEP = 99
"""From 1 ms, that is nine hours; whatever took longer is counted there."""

MINUTES, HOURS = 1, 60
"""Over how many minutes a figure counts."""


class Figure(msgspec.Struct, frozen=True, array_like=True):
    """A sum. `place` is the place in time, from where it was asked for; `what` a Counted, and its step."""

    place: int
    upstream: str
    what: int
    count: int


class Standing(msgspec.Struct, frozen=True):
    """Where something stands in line. Numbers of `limit` and more are not counted to their end."""

    ahead: int  # of its own tenant, at its upstream, before it
    tenants: int  # that have something waiting at its upstream


def step_of(span: int) -> int:
    """The step that a span in microseconds is counted in; the stores' SQL says the same."""
    return min(LAST_STEP, max(0, math.floor(STEPS * math.log2(max(span, 1) / MILLISECOND) + 1e-9)))


def quantile(counts: Mapping[int, int], part: float) -> int | None:
    """The span that this part of all was not over, in microseconds; None of nothing. `counts` are by step."""
    total = sum(counts.values())
    if not total:
        return None
    sought = part * total
    for step in sorted(counts):
        if sought <= counts[step]:
            inside = sought / counts[step]
            return round(MILLISECOND * 2 ** ((step + inside) / STEPS))
        sought -= counts[step]
    return round(MILLISECOND * 2 ** ((max(counts) + 1) / STEPS))
