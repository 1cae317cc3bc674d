"""What the service has done, told to whoever watches."""

from collections.abc import Sequence

from ..core.model import Accepted, Transaction
from ..core.policy import ANY_ROUTE
from ..ports.telemetry import Telemetry
from .draft import Draft


def tell_accepted(
    telemetry: Telemetry, drafts: Sequence[Draft], answers: Sequence[Accepted | BaseException]
) -> None:
    """What became of drafts. Most that come together are of one route."""
    route, stored = ANY_ROUTE, list[Transaction]()
    for draft, answer in zip(drafts, answers, strict=True):
        if not isinstance(answer, Accepted):
            continue
        if answer.replayed:
            telemetry.replayed()
            continue
        if draft.route is not route:
            if stored:
                telemetry.accepted(route, stored)
            route, stored = draft.route, []
        stored.append(answer.transaction)
    if stored:
        telemetry.accepted(route, stored)
