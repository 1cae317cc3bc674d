"""The checker sees what was given up without need (I3)."""

from typing import Any

from restante.torture.journal import AnyEntry, Hit, Told

from .histories import broken, call, record, submit

BROKEN = (
    Told(sequence=1, event="transition", status="pending", moment=10.0),
    Told(sequence=2, event="transition", status="processing", attempt=1, moment=10.1),
    Told(sequence=3, event="failure", status="failed", moment=11.0),
)


def given_up(*more: AnyEntry, kind: str = "once", **fields: Any) -> set[str]:
    """The laws that are violated where one was interrupted; that nobody was told is not looked at here."""
    end = {"kind": kind, "outcome": "interrupted", "deadline": 60.0, **fields}
    whole: list[AnyEntry] = [submit("broken", 3, kind=kind), record("broken", 3, BROKEN, **end)]
    return broken(*whole, *more) - {"I8"}


def test_an_attempt_that_is_interrupted_by_nothing_is_seen() -> None:
    assert given_up() == {"I3"}
    assert given_up(call(4, "broken", 3, 10.2, executed=False)) == {"I3"}
    assert given_up(Hit(at=30.0, until=31.0, kind="kill -9", node=0)) == {"I3"}


def test_an_attempt_may_be_interrupted_by_the_upstream_or_by_a_fault_while_it_went_on() -> None:
    assert not given_up(call(4, "broken", 3, 10.2, whole=False, code=None, does="hang up"))
    assert not given_up(call(4, "broken", 3, 10.2, until=14.0))
    assert not given_up(Hit(at=10.5, until=12.0, kind="kill -9", node=0))


def test_what_may_be_repeated_and_is_given_up_while_there_is_time_is_seen() -> None:
    hung_up = call(4, "broken", 3, 10.2, whole=False, code=None, does="hang up")
    for outcome in ("interrupted", "timed_out"):
        assert given_up(hung_up, kind="put", outcome=outcome) == {"I3"}
        assert given_up(hung_up, kind="again", outcome=outcome) == {"I3"}
        assert not given_up(hung_up, kind="put", outcome=outcome, deadline=12.0)
        assert "I3" not in given_up(hung_up, kind="put", outcome=outcome, attempt=5)
        assert not given_up(hung_up, kind="once", outcome=outcome)
