"""What a benchmark found, as a file: every round's values, and what the docs are made from.

One run of one benchmark is one JSON file, `bench/results/NAME.json`, which is committed. Nothing in it is
computed from something else in it: medians and ratios are made by the report (`bench/report.py`).
"""

import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import msgspec

RESULTS = Path(__file__).parent / "results"

# What every record names. A benchmark of other programs adds theirs.
PACKAGES = ("restante", "uvicorn", "uvloop", "httptools", "apsw", "asyncpg", "msgspec")


Key = tuple[str, str, str]
"""A row's name, store and what."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was measured, of one program on one store: a value of each round."""

    name: str
    """Who or which case: `restante`, `constant`, `1,000,000 finished`."""
    store: str = "-"
    """`sqlite`, `postgresql`; `-` where nothing is stored."""
    what: str
    """What was measured: `accept`, `life`, `latency p50`."""
    unit: str
    """`1/s`, `ms`, `KiB`, `MB/s`."""
    values: list[float]
    """One a round, in their order."""
    note: str = ""
    """A sentence that belongs to the row in a table; what went wrong, if something did."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and what was reached in this run."""

    name: str
    asked: float
    sense: str
    """`>=` or `<=`."""
    reached: float

    @property
    def met(self) -> bool:
        return self.reached >= self.asked if self.sense == ">=" else self.reached <= self.asked


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one benchmark."""

    bench: str
    """The file's name without `.json`."""
    title: str
    about: str
    """What was done, in a few sentences: Markdown."""
    command: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    date: str
    """YYYY-MM-DD."""
    rounds: int
    rows: list[Row]
    targets: list[Target] = []


def record(
    bench: str,
    title: str,
    about: str,
    rows: Iterable[Row],
    *,
    rounds: int,
    targets: Iterable[Target] = (),
    versions: dict[str, str] | None = None,
) -> Record:
    """The record of a run that has just been made on this machine, by this command."""
    return Record(
        bench=bench,
        title=title,
        about=about,
        command=command(),
        machine=machine(),
        versions=packages(*PACKAGES) | (versions or {}),
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        rounds=rounds,
        rows=list(rows),
        targets=list(targets),
    )


class Rounds:
    """What is measured, value by value; the rows come in the order in which each had its first one."""

    def __init__(self) -> None:
        self._rows: dict[Key, Row] = {}

    def add(self, name: str, what: str, value: float, *, unit: str, store: str = "-", note: str = "") -> None:
        row = self._rows.setdefault(
            (name, store, what), Row(name=name, store=store, what=what, unit=unit, values=[], note=note)
        )
        row.values.append(round(value, 3))

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def ratio(self, above: Key, below: Key) -> float | None:
        """The median of the rounds' ratios; None where one of them was not measured."""
        return ratio(self._rows.get(above), self._rows.get(below))

    def target(self, name: str, asked: float, sense: str, above: Key, below: Key) -> list[Target]:
        """A ratio that is asked for, if both were measured."""
        found = self.ratio(above, below)
        return [] if found is None else [Target(name=name, asked=asked, sense=sense, reached=round(found, 3))]


def ratio(above: Row | None, below: Row | None) -> float | None:
    if above is None or below is None:
        return None
    pairs = list(zip(above.values, below.values, strict=False))
    return statistics.median(one / other for one, other in pairs) if pairs else None


def write(one: Record, folder: Path = RESULTS) -> Path:
    """Where it was put. A record of the same benchmark is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{one.bench}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(one), indent=1) + b"\n")
    return path


def read(folder: Path = RESULTS) -> list[Record]:
    """All that were written there, by name."""
    return [msgspec.json.decode(path.read_bytes(), type=Record) for path in sorted(folder.glob("*.json"))]


def packages(*names: str) -> dict[str, str]:
    """The versions of those that are installed, and the interpreter's."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """Where this runs: never its name."""
    return {
        "cpu": cpu(),
        "cores": os.cpu_count() or 1,
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "libc": "-".join(platform.libc_ver()),
    }


def cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")),
        platform.machine(),
    )


def command() -> str:
    """How this run was started, as it can be started again in a checkout."""
    here = Path(__file__).parents[1]
    program = Path(sys.argv[0]).resolve()
    name = str(program.relative_to(here)) if program.is_relative_to(here) else program.name
    words = sys.argv[1:]
    for flag in "--results", "--folder":  # where it was put is nobody's business
        if flag in words:
            del words[(place := words.index(flag)) : place + 2]
    return shlex.join(["python", name, *words])


def wrk_version() -> str:
    """`wrk` says its version only where it is asked for what it does not know."""
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return said.split("[", 1)[0].removeprefix("wrk ").strip()
