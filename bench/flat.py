"""Whether what was sampled again and again stays as it is: the middle one of all slopes (Theil-Sen), which
some bad moments do not turn, over the time that is judged, against what may be.

The beginning does not count: in it caches, pools and tables become as large as they are.
"""

import statistics
from collections.abc import Sequence
from itertools import combinations

import msgspec
from record import Record, Row, Target
from sampled import TABLES

WARM = 1 / 4
"""The first part of a run, which is not judged."""

LEAST = 8
"""Samples, or nothing is judged."""


class Limit(msgspec.Struct, frozen=True):
    """How much it may grow while it is judged: a part of what it is in the middle, or so much, whichever is
    more."""

    part: float
    least: float = 0.0


LIMITS = {
    "memory, PSS": Limit(0.05, 8),
    "memory, RSS": Limit(0.05, 8),
    "descriptors": Limit(0.05, 16),
    "file": Limit(0.1, 4),
    "free pages": Limit(0.1, 32),
    "log": Limit(0.1, 64),
    "tables that are swept": Limit(0.1, 16),
    "tables that are dropped, a transaction": Limit(0.1),
    **{f"rows of {table}": Limit(0.1, 500) for table in TABLES},
    "webhooks on their way": Limit(0.1, 200),
    "accept p50": Limit(0.15, 0.5),
    "accept p99": Limit(0.25, 3),
    "life p50": Limit(0.15, 1),
    "life p99": Limit(0.25, 6),
}
"""By what is sampled. Units are the samples'."""

RATE_LEAST = 0.98
"""Of the rate that was asked for."""


def growth(values: Sequence[float]) -> float:
    """From the first to the last, by the middle one of the slopes between each two."""
    slopes = [(after - before) / (j - i) for (i, before), (j, after) in combinations(enumerate(values), 2)]
    return statistics.median(slopes) * (len(values) - 1) if slopes else 0.0


def judged(row: Row) -> list[float]:
    return row.values[int(len(row.values) * WARM) :]


def allowed(row: Row) -> float | None:
    """How much it may grow, in its unit; None where it may grow as it likes."""
    limit = LIMITS.get(row.what)
    return None if limit is None else max(limit.part * statistics.median(judged(row)), limit.least)


def grew(rows: Sequence[Row]) -> list[Row]:
    """Those that grew by more than they may."""
    return [row for row in rows if (limit := allowed(row)) is not None and growth(judged(row)) > limit]


def targets(rows: Sequence[Row], *, rate: float) -> list[Target]:
    """Of a whole run; none before there is enough to judge."""
    kept = [row for row in rows if row.what == "lives" and len(judged(row)) >= LEAST]
    if not kept:
        return []
    part = statistics.mean(judged(kept[0])) / rate
    return [
        Target(name="samples that grew by more than they may", asked=0, sense="<=", reached=len(grew(rows))),
        Target(name="of the rate that was asked for", asked=RATE_LEAST, sense=">=", reached=round(part, 3)),
    ]


def table(one: Record) -> str:
    """Each that was sampled: medians of the first and the last third of what is judged, by how much it grew,
    and how much it may."""
    lines = [
        "| sampled | | first third | last third | least | most | growth | at most |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in one.rows:
        values = judged(row)
        if not values:
            continue
        third = max(1, len(values) // 3)
        ends = (statistics.median(values[:third]), statistics.median(values[-third:]))
        limit = allowed(row)
        shown = [*map(figure, (*ends, min(values), max(values), growth(values)))]
        shown.append("" if limit is None else figure(limit))
        lines.append(f"| {row.what} | {row.unit} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def draw(one: Record):  # type: ignore[no-untyped-def]
    """Everything over time, a plot for each unit."""
    from matplotlib.figure import Figure

    units = list(dict.fromkeys(row.unit for row in one.rows))
    drawn = Figure(figsize=(7, 1.7 * len(units)))
    for place, unit in enumerate(units, 1):
        axes = drawn.add_subplot(len(units), 1, place)
        for row in one.rows:
            if row.unit == unit:
                axes.plot(row.values, linewidth=1, label=row.what)
        axes.set_ylabel(unit)
        axes.set_ylim(bottom=0)
        axes.axvspan(0, max(len(row.values) for row in one.rows) * WARM, alpha=0.08)
        axes.legend(fontsize=6, bbox_to_anchor=(1, 1))
    axes.set_xlabel("samples")
    return drawn
