"""Changes into rows: applied only where nobody was faster.

Changes to one key that came in one group and start where the one before ends (a mark nobody waited for,
and its settling) become one update with all their events.
"""

from itertools import chain

import msgspec

from .database import Database
from .rows import Row, Step
from .worker import Job

Answer = list[bool] | str
"""Of the changes of one call: which were applied, or why none was."""


def apply_together(database: Database, jobs: list[Job]) -> bool:
    """All changes in a few statements; False where any of them lost its race. Then nothing counts."""
    merged: dict[int, Step] = {}
    for job in jobs:
        for step in chain.from_iterable(job.what):
            first = merged.get(step.key)
            if first is None:
                merged[step.key] = step
            elif first.reached == step.start:
                merged[step.key] = _joined(first, step)
            else:
                return False
    plain: list[Row] = []
    moved: list[Row] = []
    events: list[Row] = []
    results: list[Row] = []
    deliveries: list[Row] = []
    feed: list[Row] = []
    headers: list[Row] = []
    for step in merged.values():
        row = (step.key, *step.start, *step.end)
        if step.sweep_at is None:
            plain.append(row)
        else:
            moved.append((*row, step.sweep_at))
        events += step.events
        results += step.results
        deliveries += step.deliveries
        feed += step.feed
        headers += step.headers
    if not database.many("apply_changes", plain) or not database.many("apply_changes_and_sweeps", moved):
        return False
    _insert(database, events, results, deliveries, feed)
    _replace(database, headers)
    for job in jobs:
        job.value = [[True] * len(steps) for steps in job.what]
    return True


def apply_alone(database: Database, steps: list[Step], applied: list[bool]) -> bool:
    """The changes of one call, one after the other; `applied` tells which were."""
    for step in steps:
        row = (step.key, *step.start, *step.end)
        if step.sweep_at is None:
            done = database.many("apply_changes", [row])
        else:
            done = database.many("apply_changes_and_sweeps", [(*row, step.sweep_at)])
        if done:
            _insert(database, step.events, step.results, step.deliveries, step.feed)
            _replace(database, step.headers)
        applied.append(done)
    return True


def _joined(first: Step, second: Step) -> Step:
    return msgspec.structs.replace(
        second,
        start=first.start,
        sweep_at=first.sweep_at if second.sweep_at is None else second.sweep_at,
        events=first.events + second.events,
        results=first.results + second.results,
        deliveries=first.deliveries + second.deliveries,
        feed=first.feed + second.feed,
        headers=second.headers or first.headers,
    )


def _insert(
    database: Database, events: list[Row], results: list[Row], deliveries: list[Row], feed: list[Row]
) -> None:
    database.many("insert_events", events)
    database.many("insert_results", results)
    database.many("insert_deliveries", deliveries)
    database.many("insert_feed", feed)
    for key, _, _, _, body, attempt in results:
        if body is None:
            database.run("delete_loose", (key, attempt))


def _replace(database: Database, headers: list[Row]) -> None:
    """Of requests that are past their retention nothing is left to replace."""
    for row in headers:
        database.run("replace_request_headers", row)
