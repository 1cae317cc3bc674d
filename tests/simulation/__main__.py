"""`python -m tests.simulation`: many seeds, or one again, with a trace if wanted. See `--help`."""

import argparse
import sys
from contextlib import nullcontext

from .plan import course_of
from .run import simulate
from .tally import Tally
from .weak import WEAK, weakened


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", help="this one")
    parser.add_argument("--seeds", type=int, default=100, help="so many, one after the other")
    parser.add_argument("--first", type=int, default=1, help="beginning with this one")
    parser.add_argument("--hours", type=float, help="simulated ones for each; otherwise drawn")
    parser.add_argument("--nodes", type=int, help="servers on one file; otherwise drawn")
    parser.add_argument("--weak", choices=WEAK, help="what is taken away from the product")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    given = parser.parse_args()
    seeds = [int(given.seed)] if given.seed else range(given.first, given.first + given.seeds)
    tally = Tally()
    with weakened(given.weak) if given.weak else nullcontext():
        for seed in seeds:
            if given.weak:
                course = WEAK[given.weak].course(seed)
            else:
                course = course_of(seed, hours=given.hours, nodes=given.nodes)
            outcome = simulate(course, say=print if given.trace else None)
            tally.add(outcome)
            for line in outcome.violated:
                print(f"seed {seed}: {line}", flush=True)
            if given.seed:
                print(outcome.hash)
    print(tally.text())
    return bool(tally.failed)


sys.exit(main())
