"""What the service has done, told to whoever counts it."""

from collections.abc import Sequence

from ..core.model import Accepted, Change
from ..core.policy import ANY_ROUTE, Policy
from ..ports.meter import Meter
from .draft import Draft


def count(meter: Meter, drafts: Sequence[Draft], answers: Sequence[Accepted | BaseException]) -> None:
    """What became of drafts. Most that come together are of one route."""
    route, stored = None, 0
    for draft, answer in zip(drafts, answers, strict=True):
        if not isinstance(answer, Accepted):
            continue
        if answer.replayed:
            meter.replayed()
        elif draft.route is route:
            stored += 1
        else:
            if route is not None:
                meter.accepted(route, stored)
            route, stored = draft.route, 1
    if route is not None:
        meter.accepted(route, stored)


def measure(meter: Meter, change: Change, policy: Policy) -> None:
    """A change that is on disk."""
    after = change.after
    meter.changed(change, policy.route(after.method, after.path) or ANY_ROUTE)
