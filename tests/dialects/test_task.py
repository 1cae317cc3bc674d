"""Dialect `task`: the seed's examples, and the tables over everything that can be."""

import itertools

import pytest

from restante.core.machine import TERMINAL
from restante.core.model import Transaction
from restante.core.status import Outcome, Reading, Status
from restante.dialects import task
from restante.dialects.task import Situation

from .samples import CREATED, SAMPLE, golden, pairs, sample, spelled

ID = "a2ac9f8e-1b22-486b-be46-528e48be6c76"
ORIGIN = "https://demo-gateway.begateway.com"

EVERYTHING = list(
    itertools.product(
        Status,
        [None, *Outcome],
        Reading,
        [False, True],  # past retention
    )
)


def example(**fields: object) -> Transaction:
    return sample(id=ID, **fields)


def test_the_seeds_examples() -> None:
    now = CREATED
    assert pairs(task.accepted(ORIGIN, ID)) == golden("task_accepted")
    done = example(status=Status.COMPLETED, outcome=Outcome.ANSWERED, result_status=200)
    broken = example(status=Status.FAILED, outcome=Outcome.UNREACHABLE)
    read = sample(status=Status.FAILED, outcome=Outcome.ANSWERED, reading=Reading.READ)
    for transaction, id, name, code in (
        (example(), ID, "task_processing", 200),
        (done, ID, "task_completed", 200),
        (None, ID, "task_unknown", 404),
        (done, "10203", "task_expired", 404),
        (read, "52168", "task_read", 404),
        (broken, ID, "task_went_wrong", 502),
    ):
        moment = done.expires_at if name == "task_expired" else now
        answer = task.of_status(transaction, id, now=moment, origin=ORIGIN)
        assert (answer.code, spelled(answer.body)) == (code, golden(name))
    for transaction, id, name in ((None, ID, "task_unknown"), (broken, ID, "task_went_wrong")):
        answer = task.of_result(transaction, id, now=now, origin=ORIGIN)
        assert spelled(answer.body) == golden(name)
    running = task.of_result(example(), ID, now=now, origin=ORIGIN)
    assert running.code == 425
    assert spelled(running.body)[:2] == golden("task_processing")


@pytest.mark.parametrize(("status", "outcome", "reading", "past"), EVERYTHING)
def test_the_tables_are_total(status: Status, outcome: Outcome | None, reading: Reading, past: bool) -> None:
    transaction = sample(status=status, outcome=outcome, reading=reading, result_status=422)
    now = transaction.expires_at if past else transaction.expires_at - 1
    column = task.situation(transaction, now)
    of_status = task.of_status(transaction, transaction.id, now=now, origin="http://h")
    of_result = task.of_result(transaction, transaction.id, now=now, origin="http://h")
    if status not in TERMINAL:
        assert column is Situation.RUNNING
    elif past or (status is Status.FAILED and reading is not Reading.UNREAD):
        assert column is Situation.UNKNOWN
        assert of_status == of_result == task.unknown(transaction.id)
    elif status is Status.CANCELLED:
        assert column is Situation.CANCELLED
    else:
        answered = outcome is Outcome.ANSWERED
        assert column is (Situation.ANSWERED if answered else Situation.BROKEN)
    codes = {
        Situation.RUNNING: ({200}, {425}),
        Situation.ANSWERED: ({200}, {422}),
        Situation.BROKEN: ({502, 504}, {502, 504}),
        Situation.CANCELLED: ({200}, {410}),
        Situation.UNKNOWN: ({404}, {404}),
    }[column]
    assert of_status.code in codes[0]
    assert of_result.code in codes[1]
    # Only an error's own answer is handed out once, only response_url hands it out, and nothing else
    # ever stands for the upstream's answer.
    assert not of_status.once
    assert of_result.once == (status is Status.FAILED and column in (Situation.ANSWERED, Situation.BROKEN))
    assert of_status.body is not None
    assert (of_result.body is None) == (column is Situation.ANSWERED)
    assert (of_result.wait_seconds is not None) == (column is Situation.RUNNING)
    word = "unknown" if column is Situation.UNKNOWN else str(status)
    assert of_status.word == of_result.word == word


def test_what_was_never_known_is_in_the_table_too() -> None:
    assert task.situation(None, 0) is Situation.UNKNOWN
    assert task.of_result(None, "x/y", now=0, origin="").body == {"status": "unknown", "request_id": "x/y"}


def test_a_code_for_every_outcome_of_broken_work() -> None:
    assert set(task.BROKEN_CODES) == set(Outcome) - {Outcome.ANSWERED}


def test_every_body_of_ours_is_a_json_object() -> None:
    for status, outcome, reading, past in EVERYTHING:
        transaction = sample(status=status, outcome=outcome, reading=reading)
        now = SAMPLE.expires_at + past - 1
        for answer in (
            task.of_status(transaction, "1", now=now, origin="http://h"),
            task.of_result(transaction, "1", now=now, origin="http://h"),
        ):
            if answer.body is not None:
                assert set(answer.body) in (
                    {"message"},
                    {"status", "request_id"},
                    {"status", "request_id", "response_url"},
                    {"status", "request_id", "status_url", "response_url"},
                )
