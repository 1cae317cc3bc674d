"""Lines as SVG paths. A plot is WIDTH wide and HEIGHT high whatever is in it; the page stretches it."""

import math
from collections.abc import Sequence

import msgspec

WIDTH, HEIGHT = 1000, 100

Values = Sequence[float | None]


class Line(msgspec.Struct, frozen=True):
    """`kind` is the name of its looks; `last` what it comes to at the end, as text."""

    kind: str
    label: str
    path: str
    area: str = ""


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """`ticks` from top to bottom, evenly; `notes` tell what is at each place, from the left."""

    name: str
    unit: str
    lines: tuple[Line, ...]
    ticks: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]  # a moment for programs, and what was then
    summary: str
    empty: bool = False


def nice_top(values: Sequence[Values]) -> float:
    """A round number that nothing is over: 1, 2 or 5 times a power of ten."""
    most = max((value for line in values for value in line if value is not None), default=0.0)
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most * 0.999)


def path(values: Values, top: float, *, bottom: float = 0.0, log: bool = False) -> str:
    """A line through the middles of the places; where nothing is known, there is a gap."""
    return " ".join(
        ("M" if first else "L") + f"{x:.1f} {y:.1f}"
        for run in _runs(values, top, bottom=bottom, log=log)
        for first, (x, y) in zip([True] + [False] * (len(run) - 1), run, strict=True)
    )


def area(values: Values, top: float) -> str:
    """What is under the line."""
    runs = _runs(values, top, bottom=0.0, log=False)
    return " ".join(
        f"M{run[0][0]:.1f} {HEIGHT} "
        + " ".join(f"L{x:.1f} {y:.1f}" for x, y in run)
        + f" L{run[-1][0]:.1f} {HEIGHT} Z"
        for run in runs
    )


def _runs(values: Values, top: float, *, bottom: float, log: bool) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = []
    fresh = True
    step = WIDTH / max(len(values), 1)
    for place, value in enumerate(values):
        if value is None:
            fresh = True
            continue
        if fresh:
            runs.append([])
            fresh = False
        if log:
            low, high = math.log10(bottom), math.log10(top)
            part = (math.log10(max(value, bottom)) - low) / (high - low)
        else:
            part = value / top
        x = (place + 0.5) * step
        runs[-1].append((x, HEIGHT - HEIGHT * min(max(part, 0.0), 1.0)))
    for run in runs:  # a point alone would not be seen
        if len(run) == 1:
            x, y = run[0]
            run[:] = [(x - step / 2, y), (x + step / 2, y)]
    return runs


def decades(values: Sequence[Values], *, floor: float) -> tuple[float, float]:
    """The powers of ten between which all are, a whole one apart at least."""
    known = [max(value, floor) for line in values for value in line if value]
    if not known:
        return floor, floor * 10
    low = 10.0 ** math.floor(math.log10(min(known)))
    high = 10.0 ** math.ceil(math.log10(max(known) * 0.999))
    return low, max(high, low * 10)
