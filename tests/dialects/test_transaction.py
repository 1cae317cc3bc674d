"""Dialect `transaction`: the seed's examples."""

import msgspec

from restante.core.model import Event
from restante.core.status import EventKind, Status
from restante.dialects import transaction as spelling
from restante.dialects.moments import parse

from .samples import golden, pairs, sample, spelled


def test_the_seeds_accept_answer() -> None:
    body = spelling.accepted("/seller/v0/transactions", "2d97892b-50f2-4e0e-8967-3d962c29ade9")
    assert pairs(body) == golden("transaction_accepted")


def test_a_path_of_any_characters_stays_json() -> None:
    body = spelling.accepted('/a"b\\c/é', "1")
    assert msgspec.json.decode(body)["links"] == [{"path": '/a"b\\c/é/1'}]


def test_the_seeds_completed_transaction() -> None:
    event = Event(
        3,
        EventKind.TRANSITION,
        "Criação de ticket bem sucedida",
        {"ticket_id": "8f6a64a6-0b9e-5c1c-8242-34828585f0dc"},
        Status.COMPLETED,
        parse("2024-11-08T11:49:52.489"),
    )
    shown = spelling.one(sample(status=Status.COMPLETED), [event])
    assert spelled(shown) == golden("transaction_completed")


def test_the_seeds_failed_transaction() -> None:
    expected = golden("transaction_failed")
    message = dict(dict(dict(expected)["events"][0])["data"])["error_message"]
    event = Event(
        3,
        EventKind.FAILURE,
        "Falha na criação de ticket",
        {"error_message": message},
        Status.FAILED,
        parse("2024-11-07T19:42:25.898"),
    )
    assert spelled(spelling.one(sample(status=Status.FAILED), [event])) == expected
    (error,) = msgspec.json.decode(message)
    assert error["details"][0]["field"] == "type_code"


def test_microseconds_are_always_written() -> None:
    assert spelling.one(sample(created_at=0), [])["created_at"] == "1970-01-01T00:00:00.000000"
