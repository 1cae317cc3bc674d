"""What the routes have lately taken, so that callers are told when it is worth their while to ask.

Kept by route, in memory, of what ended in this process: after a start, and where others do the work, nothing
is known, and callers are told what they would be of the fastest.
"""

from collections import deque
from statistics import median_high

from ..core.model import Transaction
from ..core.policy import ANY_ROUTE, Policy, Route
from ..core.status import Outcome

REMEMBERED = 15
"""Spans by which a route is judged. The one in the middle is taken: delays that were asked for, and what was
broken off, are few."""


class Pace:
    """Spans in microseconds, from accept to end."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._spans: dict[int, deque[int]] = {}  # by the route's identity: there are no others than these
        self._usual: dict[int, int] = {}

    def ended(self, transaction: Transaction, route: Route) -> None:
        """It has, just now."""
        if transaction.outcome is not Outcome.ANSWERED:
            return
        spans = self._spans.setdefault(id(route), deque(maxlen=REMEMBERED))
        spans.append(max(transaction.updated_at - transaction.created_at, 0))
        self._usual.pop(id(route), None)

    def of(self, route: Route) -> int:
        """What it usually takes; 0: that is not known. Found out when somebody asks: many end meanwhile."""
        usual = self._usual.get(id(route))
        if usual is None:
            spans = self._spans.get(id(route))
            usual = self._usual[id(route)] = median_high(spans) if spans else 0
        return usual

    def usual(self, transaction: Transaction) -> int:
        """The same, of the transaction's route."""
        return self.of(self._policy.route(transaction.method, transaction.path) or ANY_ROUTE)
