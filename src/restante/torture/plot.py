"""One picture of a run: what was accepted and what ended in each second, and when which fault struck."""

from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from .journal import Hit, Record, Submit, read

WIDTH_INCHES, HEIGHT_INCHES = 11.0, 6.0


class NoMatplotlib(Exception):
    """It is not installed: the extra `bench` brings it."""


def pyplot() -> ModuleType:
    """Matplotlib, for files only. Raises `NoMatplotlib`."""
    try:
        matplotlib = import_module("matplotlib")
        matplotlib.use("agg")
        return import_module("matplotlib.pyplot")
    except ImportError:
        raise NoMatplotlib from None


def draw(folder: Path, file: Path) -> None:
    """Draws the run whose journals are in `folder`; the file's ending says the format."""
    plot = pyplot()
    submits = [one for one in read(folder / "clients.jsonl") if isinstance(one, Submit)]
    hits = [one for one in read(folder / "faults.jsonl") if isinstance(one, Hit)]
    records = [one for one in read(folder / "servers.jsonl") if isinstance(one, Record)]
    begin = min((one.at for one in submits), default=0.0)
    figure, (rates, faults) = plot.subplots(
        2, 1, sharex=True, figsize=(WIDTH_INCHES, HEIGHT_INCHES), height_ratios=(2, 1), layout="constrained"
    )
    for label, moments in {
        "submitted": [one.at - begin for one in submits],
        "accepted": [one.until - begin for one in submits if one.id is not None],
        "not answered": [one.until - begin for one in submits if one.code is None],
    }.items():
        rates.plot(*_per_second(moments), label=label)
    rates.set_ylabel("per second")
    rates.set_title(f"{len(records)} transactions, {len(hits)} faults")
    rates.legend(loc="upper right")
    kinds = sorted({hit.kind for hit in hits})
    for place, kind in enumerate(kinds):
        spans = [(hit.at - begin, max(hit.until - hit.at, 0.1)) for hit in hits if hit.kind == kind]
        faults.broken_barh(spans, (place - 0.4, 0.8))
    faults.set_yticks(range(len(kinds)), kinds)
    faults.set_xlabel("seconds")
    figure.savefig(file)
    plot.close(figure)


def _per_second(moments: Iterable[float]) -> tuple[list[int], list[int]]:
    counts = Counter(int(moment) for moment in moments)
    seconds = list(range(max(counts, default=0) + 1))
    return seconds, [counts[second] for second in seconds]
