"""What becomes of an attempt: the second promise, case by case."""

import pytest

from restante.core import change, outcome
from restante.core.clock import SECOND
from restante.core.errors import (
    AnswerBroken,
    AnswerTooLarge,
    NoAnswerInTime,
    Unreachable,
    UpstreamError,
)
from restante.core.model import Change, Transaction
from restante.core.policy import Limits, Route
from restante.core.status import Dialect, EventKind, Interrupted, Outcome, Status

from .samples import NOW, ROUTE, a_result, a_transaction, an_upstream

BROKEN = AnswerBroken("the upstream closed the connection before answering", sent=True)
SLOW = NoAnswerInTime("no answer within 60 s", sent=True)
REFUSED = Unreachable("the connection was refused")


def begun(**fields: object) -> Transaction:
    transaction = a_transaction(**fields)
    return change.begin(transaction, attempt=transaction.attempt + 1, now=NOW, lease=SECOND).after


def unanswered(transaction: Transaction, error: UpstreamError, route: Route = ROUTE) -> Change:
    return outcome.unanswered(
        transaction,
        error,
        attempt=transaction.attempt,
        route=route,
        upstream=an_upstream(),
        now=NOW,
        chance=0.5,
    )


def answered(transaction: Transaction, status: int = 200, body: bytes = b"{}", **more: object) -> Change:
    route = more.pop("route", ROUTE)
    retry = more.pop("retry", {})
    return outcome.answered(
        transaction,
        a_result(status, body, more.pop("headers", ())),
        attempt=transaction.attempt,
        route=route,
        upstream=an_upstream(**retry),
        limits=Limits(),
        now=NOW,
        chance=0.5,
        **more,
    )


@pytest.mark.parametrize(
    ("method", "repeated"),
    [("POST", False), ("PATCH", False), ("GET", True), ("PUT", True), ("DELETE", True)],
)
@pytest.mark.parametrize("error", [BROKEN, SLOW])
def test_interrupted_is_repeated_only_for_idempotent_methods(
    method: str, repeated: bool, error: UpstreamError
) -> None:
    made = unanswered(begun(method=method), error)
    assert made.after.status is (Status.PROCESSING if repeated else Status.FAILED)
    assert made.after.doubtful == 1


def test_interrupted_is_repeated_where_the_route_says_so() -> None:
    made = unanswered(begun(), BROKEN, Route(interrupted=Interrupted.RETRY))
    assert made.events[0].kind is EventKind.DELAY


def test_surely_not_sent_is_run_again_whatever_the_method() -> None:
    made = unanswered(begun(), REFUSED)
    assert made.events[0].kind is EventKind.DELAY
    assert made.after.doubtful == 0


def test_attempts_are_the_total_of_tries() -> None:
    made = unanswered(begun(attempt=2, status=Status.PROCESSING), REFUSED)
    assert made.after.status is Status.FAILED
    assert made.after.outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize(("error", "expected"), [(BROKEN, Outcome.INTERRUPTED), (SLOW, Outcome.TIMED_OUT)])
def test_a_failure_whose_end_nobody_knows_says_so(error: UpstreamError, expected: Outcome) -> None:
    made = unanswered(begun(), error)
    event = made.events[0]
    assert made.after.outcome is expected
    assert event.kind is EventKind.FAILURE
    assert event.data is not None and event.data["outcome_unknown"] is True
    assert "unknown" in event.message


def test_an_answer_that_is_too_large_is_never_fetched_again() -> None:
    made = unanswered(begun(method="GET"), AnswerTooLarge("too large", sent=True))
    assert made.after.status is Status.FAILED


def test_a_retry_that_would_come_after_the_deadline_is_not_made() -> None:
    made = unanswered(begun(deadline=NOW + 1000), REFUSED)
    assert made.after.status is Status.FAILED


@pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
def test_2xx_completes(status: int) -> None:
    made = answered(begun(), status)
    assert made.after.status is Status.COMPLETED
    assert made.after.outcome is Outcome.ANSWERED
    assert made.after.result_status == status


@pytest.mark.parametrize("status", [300, 302, 304, 400, 404, 422, 500, 503])
def test_any_other_final_answer_fails(status: int) -> None:
    made = answered(begun(), status)
    assert made.after.status is Status.FAILED
    assert made.after.outcome is Outcome.ANSWERED
    assert made.result is not None


def test_a_listed_code_is_the_upstreams_word_that_it_did_nothing() -> None:
    made = answered(begun(), 503, retry={"on_codes": frozenset({503})})
    assert made.events[0].kind is EventKind.DELAY
    assert made.after.doubtful == 0
    assert made.result is None


def test_retry_after_is_never_undercut() -> None:
    made = answered(begun(), 503, retry={"on_codes": frozenset({503})}, retry_after=90 * SECOND)
    assert made.after.due_at == NOW + 90 * SECOND


def test_the_last_listed_answer_is_the_result() -> None:
    made = answered(begun(attempt=2, status=Status.PROCESSING), 503, retry={"on_codes": frozenset({503})})
    assert made.after.status is Status.FAILED
    assert made.after.result_status == 503


def test_picked_data_comes_from_the_answer() -> None:
    route = Route(data=(("ticket_id", "/id"), ("absent", "/no/such")))
    made = answered(begun(dialect=Dialect.TRANSACTION), 201, b'{"id":"8f6a"}', route=route)
    assert made.events[0].data == {"ticket_id": "8f6a"}


@pytest.mark.parametrize("body", [b"", b"[1]", b"not json", b"\xff\xfe", b'"text"'])
def test_an_answer_that_is_no_json_object_gives_empty_data(body: bytes) -> None:
    assert answered(begun(dialect=Dialect.TRANSACTION), 200, body).events[0].data == {}


def test_default_data_is_the_answer_itself_and_is_not_written_twice() -> None:
    assert answered(begun(dialect=Dialect.TRANSACTION), 200, b'{"a":1}').events[0].data is None


def test_a_large_answer_is_not_event_data() -> None:
    body = b'{"a":"' + b"x" * 16 * 1024 + b'"}'
    assert answered(begun(dialect=Dialect.TRANSACTION), 200, body).events[0].data == {}


def test_the_upstreams_error_body_is_the_error_message_of_the_transaction_dialect() -> None:
    made = answered(begun(dialect=Dialect.TRANSACTION), 422, b'[{"error_code": "X"}]')
    assert made.events[0].kind is EventKind.FAILURE
    assert made.events[0].data == {"error_message": '[{"error_code": "X"}]'}


def test_task_routes_put_no_body_in_events() -> None:
    for status in (200, 422):
        assert answered(begun(), status, b'{"card":"4200"}').events[0].data == {"status_code": status}
