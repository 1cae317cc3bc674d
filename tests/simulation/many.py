"""Many seeds on all cores: each is a history of its own, in whichever process it is made; what came of
them is told in the order of the seeds."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

from .plan import Course
from .run import Outcome, simulate
from .weak import weakened

Say = Callable[[str], object]


def one(course: Course, weak: str | None = None, say: Say | None = None) -> Outcome:
    """The course, with the product weakened in that way, if any. `say`: see `simulate`."""
    with weakened(weak) if weak else nullcontext():
        return simulate(course, say=say)


def simulate_all(
    courses: Sequence[Course], *, jobs: int = 1, weak: str | None = None, say: Say | None = None
) -> Iterator[Outcome]:
    """As many at a time as there are `jobs`; more than one are made in processes of their own, and say
    nothing."""
    if jobs == 1:
        yield from (one(course, weak, say) for course in courses)
        return
    context = multiprocessing.get_context("spawn")  # nothing of this process's is in theirs
    pool = ProcessPoolExecutor(jobs, mp_context=context)
    try:
        yield from pool.map(one, courses, [weak] * len(courses))
    finally:
        pool.shutdown(cancel_futures=True)
