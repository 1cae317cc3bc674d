"""Whether speed was lost: `python bench/check.py [--rounds 5] [--seconds 1] [--tolerance 0.15]`.

`make bench-check`. Measures accepts, lives and their limits on SQLite again, in short, and compares the
ratios between them, which hold on any machine, with those of results/throughput.json. A ratio that is
smaller by more than the tolerance ends it with exit code 1. The tolerance is what the medians of five such
rounds differ by on a machine on which little else runs; where much runs, ask for more rounds.
"""

import argparse
import contextlib
import os
import sys

import load
import record
import throughput
from ends import SQLITE, Stores

RATIOS = {
    **{name: (above, below) for name, _, above, below in throughput.RATIOS if above[1] == SQLITE},
    "accept of accept without HTTP": (
        ("Restante", SQLITE, "accept"),
        ("group commit alone", SQLITE, "accept"),
    ),
    "life of life without HTTP": (("Restante", SQLITE, "life"), ("group commit alone", SQLITE, "life")),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--tolerance", type=float, default=0.15, help="the part of a ratio that may be lost")
    parser.add_argument("--stores", nargs="+", default=[SQLITE], help=argparse.SUPPRESS)
    options = parser.parse_args()
    load.need_wrk()
    kept = [one for one in record.read() if one.bench == "throughput"]
    if not kept:
        print("bench/results/throughput.json is missing: run make bench first", file=sys.stderr)
        return 2
    with Stores() as stores, contextlib.redirect_stdout(open(os.devnull, "w")):
        found = throughput.measure(stores, options)
    worse = compare(kept[0], found, options.tolerance)
    return 1 if worse else 0


def compare(kept: record.Record, found: record.Record, tolerance: float) -> list[str]:
    """The names of the ratios that were lost; all of them are printed."""
    worse = []
    before, now = ({(row.name, row.store, row.what): row for row in one.rows} for one in (kept, found))
    for name, (above, below) in RATIOS.items():
        was = record.ratio(before.get(above), before.get(below))
        new = record.ratio(now.get(above), now.get(below))
        if was is None or new is None:
            continue
        lost = new < was * (1 - tolerance)
        print(f"{name:42} was {was:.2f}, is {new:.2f}{'  WORSE' if lost else ''}")
        worse += [name] if lost else []
    return worse


if __name__ == "__main__":
    sys.exit(main())
