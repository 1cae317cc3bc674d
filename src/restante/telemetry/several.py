"""Several who are told the same."""

from collections.abc import Sequence

from ..core.delivery import Attempt
from ..core.model import Change, Transaction
from ..core.outbox import Errand
from ..core.policy import Route
from ..ports.telemetry import Telemetry


def several(*each: Telemetry) -> Telemetry:
    """Each is told, in this order."""
    return each[0] if len(each) == 1 else Several(*each)


class Several:
    """See `several`."""

    def __init__(self, *each: Telemetry) -> None:
        self._each = each

    def accepted(self, route: Route, transactions: Sequence[Transaction]) -> None:
        for one in self._each:
            one.accepted(route, transactions)

    def replayed(self) -> None:
        for one in self._each:
            one.replayed()

    def refused(self, reason: str) -> None:
        for one in self._each:
            one.refused(reason)

    def changed(self, change: Change, route: Route) -> None:
        for one in self._each:
            one.changed(change, route)

    def attempted(
        self, transaction: Transaction, attempt: int, result: str, *, began: int, ended: int
    ) -> None:
        for one in self._each:
            one.attempted(transaction, attempt, result, began=began, ended=ended)

    def lease_lost(self, upstream: str) -> None:
        for one in self._each:
            one.lease_lost(upstream)

    def delivered(self, errand: Errand, attempt: Attempt, outcome: str) -> None:
        for one in self._each:
            one.delivered(errand, attempt, outcome)

    def committed(self, writes: int) -> None:
        for one in self._each:
            one.committed(writes)
