"""How long a route takes is what it lately took, whatever single ones did."""

from typing import Any

import pytest

from restante.core.clock import HOUR, SECOND
from restante.core.model import Transaction
from restante.core.policy import ANY_ROUTE, Policy, Route
from restante.core.status import Outcome, Phase, Status
from restante.dialects.task import MAX_WAIT_SECONDS, wait_seconds
from restante.service.pace import REMEMBERED, Pace

from ..core.samples import NOW, a_transaction

REPORTS = Route(path="/reports/*")


def ended(path: str, span: int, outcome: Outcome = Outcome.ANSWERED) -> Transaction:
    return a_transaction(
        path=path,
        status=Status.COMPLETED,
        outcome=outcome,
        created_at=NOW,
        updated_at=NOW + span,
        due_at=None,
    )


def test_each_route_has_a_pace_of_its_own() -> None:
    pace = Pace(Policy(upstreams={}, routes=(REPORTS,)))
    assert pace.of(REPORTS) == 0
    pace.ended(ended("/reports/1", 40 * SECOND), REPORTS)
    pace.ended(ended("/pay", 2 * SECOND), ANY_ROUTE)
    assert (pace.of(REPORTS), pace.of(ANY_ROUTE)) == (40 * SECOND, 2 * SECOND)
    assert pace.usual(a_transaction(path="/reports/2")) == 40 * SECOND


def test_single_ones_do_not_count_and_the_past_is_forgotten() -> None:
    pace = Pace(Policy(upstreams={}))
    for span in (SECOND, SECOND, HOUR):
        pace.ended(ended("/pay", span), ANY_ROUTE)
    pace.ended(ended("/pay", HOUR, Outcome.UNREACHABLE), ANY_ROUTE)
    assert pace.of(ANY_ROUTE) == SECOND
    for _ in range(REMEMBERED):
        pace.ended(ended("/pay", 9 * SECOND), ANY_ROUTE)
    assert pace.of(ANY_ROUTE) == 9 * SECOND


@pytest.mark.parametrize(
    ("taken", "usual", "wait"),
    [
        (0, 0, 1),
        (0, 40, 40),
        (15, 40, 25),
        (39, 40, 1),
        (60, 40, 15),
        (4000, 40, 40),
        (4000, 0, 1),
        (0, 2 * MAX_WAIT_SECONDS, MAX_WAIT_SECONDS),
    ],
)
def test_who_asks_is_told_when_it_will_have_ended(taken: int, usual: int, wait: int) -> None:
    running: dict[str, Any] = {"status": Status.PROCESSING, "phase": Phase.SENDING, "created_at": NOW}
    asked = wait_seconds(a_transaction(**running), NOW + taken * SECOND, usual=usual * SECOND)
    assert asked == wait


def test_what_is_due_later_takes_its_time_from_then() -> None:
    later = a_transaction(created_at=NOW, due_at=NOW + 90 * SECOND)
    assert wait_seconds(later, NOW, usual=10 * SECOND) == 100
    assert wait_seconds(later, NOW) == 90
