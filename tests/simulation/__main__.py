"""`python -m tests.simulation`: many seeds, or one again, with a trace if wanted. See `--help`."""

import argparse
import math
import sys
from typing import NoReturn

from .many import simulate_all
from .plan import course_of, month_of
from .tally import Tally
from .weak import WEAK


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, without the usage before it."""
        self.exit(2, f"{self.prog}: {message}\n")


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def hours(text: str) -> float:
    try:
        given = float(text)
    except ValueError:
        given = math.nan
    if not 0 < given < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return given


def main(words: list[str]) -> int:
    parser = Parser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="this one")
    parser.add_argument("--seeds", type=at_least_one, default=100, help="so many, one after the other")
    parser.add_argument("--first", type=int, default=1, help="beginning with this one")
    parser.add_argument("--jobs", type=at_least_one, default=1, help="so many of them at a time")
    parser.add_argument("--hours", type=hours, help="simulated ones for each; otherwise drawn")
    parser.add_argument("--months", action="store_true", help="each a month and more, mostly at rest")
    parser.add_argument("--nodes", type=at_least_one, help="servers on one file; otherwise drawn")
    parser.add_argument("--weak", choices=WEAK, help="what is taken away from the product")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    given = parser.parse_args(words)
    one = given.seed is not None
    jobs = 1 if one else given.jobs
    if given.trace and jobs > 1:
        parser.error("--trace is of one at a time: without --jobs")
    seeds = [given.seed] if one else range(given.first, given.first + given.seeds)
    if given.weak:
        courses = [WEAK[given.weak].course(seed) for seed in seeds]
    elif given.months:
        courses = [month_of(seed) for seed in seeds]
    else:
        courses = [course_of(seed, hours=given.hours, nodes=given.nodes) for seed in seeds]
    tally = Tally()
    say = print if given.trace else None
    for outcome in simulate_all(courses, jobs=jobs, weak=given.weak, say=say):
        tally.add(outcome)
        for line in outcome.violated:
            print(f"seed {outcome.seed}: {line}", flush=True)
        if one:
            print(outcome.hash)
    print(tally.text())
    return bool(tally.failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
