"""Transitions as values: their events, their fence, their guards."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core import change
from restante.core.clock import SECOND
from restante.core.errors import MoveRefused, TooLate
from restante.core.machine import TERMINAL
from restante.core.model import Change, Transaction
from restante.core.policy import Route
from restante.core.status import EventKind, Outcome, Phase, Status

from .samples import NOW, a_result, a_transaction

LEASE = 15 * SECOND


def begun(transaction: Transaction | None = None) -> Transaction:
    transaction = transaction or a_transaction()
    return change.begin(transaction, attempt=transaction.attempt + 1, now=NOW, lease=LEASE).after


MOVES: list[Callable[[Transaction], Change | None]] = [
    lambda t: change.begin(t, attempt=t.attempt + 1, now=NOW + 1, lease=LEASE),
    lambda t: change.delay(t, attempt=t.attempt, now=NOW + 1, until=NOW + 9, reason="x", doubtful=False),
    lambda t: change.delay(t, attempt=t.attempt, now=NOW + 1, until=NOW + 9, reason="x", doubtful=True),
    lambda t: change.complete(t, attempt=t.attempt, now=NOW + 1, result=a_result(), data={}),
    lambda t: change.fail(t, attempt=t.attempt, now=NOW + 1, outcome=Outcome.UNREACHABLE, data={}),
    lambda t: change.expire(t, now=NOW + 1),
    lambda t: change.cancel(t, now=NOW + 1),
]


@given(st.lists(st.integers(0, len(MOVES) - 1), max_size=30))
def test_whatever_happens_the_log_is_gapless_and_tells_every_status(steps: list[int]) -> None:
    transaction = a_transaction()
    events = [change.accepted(transaction)]
    for step in steps:
        try:
            made = MOVES[step](transaction)
        except (MoveRefused, TooLate):
            continue
        if made is None:
            continue
        assert made.before == transaction
        assert transaction.status not in TERMINAL
        assert made.after.status is not Status.PENDING
        assert sum(event.status is not made.before.status for event in made.events) in (0, 1)
        assert made.events[-1].status is made.after.status
        assert made.after.sequence == made.events[-1].sequence
        assert (made.after.due_at is None) == (made.after.status in TERMINAL)
        events += made.events
        transaction = made.after
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert transaction.sequence == len(events)


def test_only_the_current_attempt_settles() -> None:
    first = begun()
    waiting = change.delay(first, attempt=1, now=NOW, until=NOW, reason="x", doubtful=True).after
    second = begun(waiting)
    for stale in (waiting, second):
        with pytest.raises(MoveRefused):
            change.complete(stale, attempt=1, now=NOW, result=a_result(), data={})
    assert change.complete(second, attempt=2, now=NOW, result=a_result(), data={}).after.attempt == 2


def test_an_attempt_begins_only_as_the_next_one() -> None:
    first = begun()
    with pytest.raises(MoveRefused):
        change.begin(first, attempt=2, now=NOW, lease=LEASE)
    waiting = change.delay(first, attempt=1, now=NOW, until=NOW, reason="x", doubtful=False).after
    with pytest.raises(MoveRefused):
        change.begin(waiting, attempt=1, now=NOW, lease=LEASE)


def test_a_pending_one_can_be_cancelled_and_a_second_cancel_changes_nothing() -> None:
    made = change.cancel(a_transaction(), now=NOW)
    assert made is not None and made.after.status is Status.CANCELLED
    assert change.cancel(made.after, now=NOW) is None


def test_what_is_on_the_wire_cannot_be_cancelled() -> None:
    with pytest.raises(TooLate):
        change.cancel(begun(), now=NOW)


def test_waiting_after_an_attempt_that_was_surely_not_sent_can_be_cancelled() -> None:
    waiting = change.delay(begun(), attempt=1, now=NOW, until=NOW, reason="x", doubtful=False).after
    made = change.cancel(waiting, now=NOW)
    assert made is not None and made.after.status is Status.CANCELLED


def test_waiting_after_an_attempt_that_may_have_been_sent_cannot_be_cancelled() -> None:
    waiting = change.delay(begun(), attempt=1, now=NOW, until=NOW, reason="x", doubtful=True).after
    again = change.delay(begun(waiting), attempt=2, now=NOW, until=NOW, reason="x", doubtful=False).after
    for transaction in (waiting, again):
        with pytest.raises(TooLate):
            change.cancel(transaction, now=NOW)


@pytest.mark.parametrize("status", sorted(TERMINAL - {Status.CANCELLED}))
def test_what_is_over_cannot_be_cancelled(status: Status) -> None:
    with pytest.raises(TooLate):
        change.cancel(a_transaction(status=status), now=NOW)


def test_a_deadline_that_passes_while_on_the_wire_leaves_the_outcome_unknown() -> None:
    made = change.expire(begun(), now=NOW)
    assert made.after.outcome is Outcome.EXPIRED
    assert made.after.doubtful == 1
    assert made.events[0].data is not None and made.events[0].data["outcome_unknown"] is True


def test_a_delay_says_why_and_until_when() -> None:
    made = change.delay(begun(), attempt=1, now=NOW, until=NOW + SECOND, reason="refused", doubtful=False)
    assert made.events[0].kind is EventKind.DELAY
    assert made.events[0].data == {
        "attempt": 1,
        "reason": "refused",
        "until": "2023-11-14T22:13:21.000000Z",
    }
    assert made.after.phase is Phase.WAITING and made.after.due_at == NOW + SECOND


def test_the_routes_own_messages_are_used() -> None:
    route = Route(messages=(("completed", "Criação de ticket bem sucedida"),))
    made = change.complete(begun(), attempt=1, now=NOW, result=a_result(), data={}, route=route)
    assert made.events[0].message == "Criação de ticket bem sucedida"


def test_joined_changes_are_one_step() -> None:
    begin = change.begin(a_transaction(), attempt=1, now=NOW, lease=LEASE)
    failed = change.fail(begin.after, attempt=1, now=NOW, outcome=Outcome.UNREACHABLE, data={})
    joined = change.join(begin, failed)
    assert joined.before == begin.before and joined.after == failed.after
    assert [event.status for event in joined.events] == [Status.PROCESSING, Status.FAILED]
