"""Tables and plots of what was measured: `python bench/report.py [--results DIR] [--page FILE]`.

Reads results/*.json and writes docs/performance.md and the plots beside it; nothing on that page is written
by hand. Medians and ratios are made here, of soaks in flat.py. Plots need matplotlib (`pip install
restante[bench]`).
"""

import argparse
import statistics
from collections.abc import Iterable
from pathlib import Path

import flat
import record
from record import Record, Row

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
ORDER = (
    "throughput",
    "peers",
    "growth",
    "waiters",
    "sweep",
    "deliveries",
    "bodies",
    "soak-sqlite",
    "soak-postgresql",
)
"""Of the page; what is not named comes last."""

HEAD = """\
# Performance

Made by `python bench/report.py` from `bench/results/`, which `make bench` writes; what is compared was
measured in one run, in turn. Figures are medians of the rounds, with half of the way from the least to the
most in per cent. Another machine has other figures and about the same ratios: those are what `make
bench-check` holds against a change. [Measure your own](reference/cli.md) with `restante bench`.
"""

LATENCY = "latency p"
KINDS = ("throughput", "latency", "growth", "soak")
SOAK = "soak-"
SENSES = {">=": "≥", "<=": "≤"}


def page(records: list[Record], plots: dict[str, list[str]]) -> str:
    parts = [HEAD, "## What was asked for, and what was reached\n", targets(records)]
    for one in records:
        made = f"`{one.command}`, {one.date}, rounds: {one.rounds}.\n"
        parts += [f"## {one.title}\n", one.about, table(one), made]
        parts += [
            f"![{one.title}: {Path(plot).stem.rpartition('-')[2]}]({plot})\n" for plot in plots[one.bench]
        ]
    return "\n".join([*parts, conditions(records)]).rstrip() + "\n"


def targets(records: list[Record]) -> str:
    lines = ["| | asked | reached | |", "|---|---|---|---|"]
    said = {True: "met", False: "**not met**"}
    lines += [
        f"| [{one.title}](#{anchor(one.title)}): {target.name} "
        f"| {SENSES[target.sense]} {figure(target.asked)} | {figure(target.reached)} | {said[target.met]} |"
        for one in records
        for target in one.targets
    ]
    return "\n".join(lines) + "\n"


def anchor(title: str) -> str:
    return "".join(sign for sign in title.lower() if sign.isalnum() or sign in " -").replace(" ", "-")


def table(one: Record) -> str:
    """Who, on which store, by what was measured; latencies in a table of their own."""
    if one.bench.startswith(SOAK):
        return flat.table(one)
    late = [row for row in one.rows if row.what.startswith(LATENCY)]
    rest = [row for row in one.rows if not row.what.startswith(LATENCY)]
    notes = dict.fromkeys(f"- {row.name}: {row.note}\n" for row in one.rows if row.note)
    return "\n".join([*(grid(rows) for rows in (rest, late) if rows), *notes])


def grid(rows: list[Row]) -> str:
    cells = {(row.name, row.store, row.what): row for row in rows}
    whats = list(dict.fromkeys((row.what, row.unit) for row in rows))
    lines = [
        ["", "store", *(f"{what}, {unit}" for what, unit in whats)],
        ["---", "---", *("---:" for _ in whats)],
    ]
    for name, store in dict.fromkeys((row.name, row.store) for row in rows):
        found = (cells.get((name, store, what)) for what, _ in whats)
        lines.append([name, store if store != "-" else "", *map(cell, found)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def cell(row: Row | None) -> str:
    if row is None or not row.values:
        return ""
    middle = statistics.median(row.values)
    away = (max(row.values) - min(row.values)) / 2 / middle * 100 if middle else 0
    return f"{figure(middle)} ±{away:.0f} %" if len(row.values) > 1 else figure(middle)


def figure(value: float) -> str:
    """Three digits that mean something."""
    if value >= 1000:
        return f"{round(value, 2 - len(str(int(value)))) if value >= 100_000 else round(value, -1):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def conditions(records: list[Record]) -> str:
    """On what all of it was measured; mostly it is the same."""
    found: dict[str, list[str]] = {}
    for one in records:
        machine = ", ".join(f"{name} {value}" for name, value in one.machine.items())
        versions = ", ".join(f"{name} {version}" for name, version in sorted(one.versions.items()))
        found.setdefault(f"{machine}\\\n{versions}", []).append(one.title)
    return "## Machine and versions\n\n" + "".join(
        f"- {', '.join(titles)}: {text}\n" for text, titles in found.items()
    )


def drawn(records: Iterable[Record], folder: Path) -> dict[str, list[str]]:
    """The plots of each benchmark, as the page calls them."""
    return {
        one.bench: [
            f"{folder.name}/{path.name}"
            for kind in KINDS
            for path in folder.glob("*.svg")
            if path.name == f"{one.bench}-{kind}.svg"
        ]
        for one in records
    }


def draw_all(records: Iterable[Record], folder: Path) -> None:
    """What there is to draw."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "restante", "font.size": 9})
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for one in records:
        for kind, draw in zip(KINDS, (bars, curves, growth, soak), strict=True):
            chart = draw(one)
            if chart is not None:
                path = folder / f"{one.bench}-{kind}.svg"
                chart.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def label(row: Row) -> str:
    return row.name if row.store == "-" else f"{row.name}, {row.store}"


def chart(width: float = 7, height: float = 3):  # type: ignore[no-untyped-def]
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height))
    return drawn, drawn.add_subplot()


def bars(one: Record):  # type: ignore[no-untyped-def]
    """Throughputs, of each what a group of its own."""
    rows = [row for row in one.rows if row.unit in ("1/s", "MB/s")]
    if not rows or one.bench == "growth" or one.bench.startswith(SOAK):
        return None
    whats = list(dict.fromkeys(row.what for row in rows))
    drawn, axes = chart(height=0.6 + 0.2 * len(rows) + 0.2 * len(whats))
    place, places, names = 0.0, [], []
    for number, what in enumerate(whats):
        for row in (row for row in rows if row.what == what):
            middle = statistics.median(row.values)
            spread = [[middle - min(row.values)], [max(row.values) - middle]]
            axes.barh(place, middle, xerr=spread, color=f"C{number}", error_kw={"linewidth": 0.8})
            places.append(place)
            names.append(f"{what}: {label(row)}")
            place += 1
        place += 0.7
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlabel(" or ".join(dict.fromkeys(row.unit for row in rows)))
    return drawn


def curves(one: Record):  # type: ignore[no-untyped-def]
    """Latencies by their part of all."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in one.rows:
        if row.what.startswith(LATENCY):
            lines.setdefault(label(row), []).append(
                (float(row.what.removeprefix(LATENCY)), statistics.median(row.values))
            )
    if not lines:
        return None
    drawn, axes = chart()
    for name, points in lines.items():
        points.sort()
        axes.plot([x for x, _ in points], [y for _, y in points], marker=".", label=name)
    axes.set_yscale("log")
    axes.set_xlabel("% of all, at most")
    axes.set_ylabel("ms")
    axes.legend(fontsize=7, bbox_to_anchor=(1, 1))
    return drawn


def growth(one: Record):  # type: ignore[no-untyped-def]
    """Each size's throughput as a part of the first one's, in the same rounds."""
    if one.bench != "growth":
        return None
    rows = [row for row in one.rows if row.unit == "1/s"]
    sizes = list(dict.fromkeys(row.name for row in rows))
    cells = {(row.name, row.store, row.what): row for row in rows}
    drawn, axes = chart()
    for store, what in dict.fromkeys((row.store, row.what) for row in rows):
        first = cells.get((sizes[0], store, what))
        parts = [record.ratio(cells.get((size, store, what)), first) for size in sizes]
        axes.plot(
            sizes,
            [float("nan") if part is None else part for part in parts],
            marker=".",
            label=f"{what}, {store}",
        )
    axes.axhspan(0.9, 1.1, alpha=0.1)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("of empty")
    axes.legend(fontsize=7, bbox_to_anchor=(1, 1))
    return drawn


def soak(one: Record):  # type: ignore[no-untyped-def]
    return flat.draw(one) if one.bench.startswith(SOAK) else None


def ordered(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda one: ORDER.index(one.bench) if one.bench in ORDER else len(ORDER))


def main(results: Path = record.RESULTS, written: Path = PAGE) -> None:
    records = ordered(record.read(results))
    plots = written.with_suffix("")
    draw_all(records, plots)
    written.write_text(page(records, drawn(records, plots)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, default=record.RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args()
    main(chosen.results, chosen.page)
