"""The state table: all pairs."""

import pytest

from restante.core.errors import MoveRefused
from restante.core.machine import TABLE, TERMINAL, Move, advance
from restante.core.status import Status

ALLOWED = {
    ("pending", "begin"): "processing",
    ("pending", "expire"): "failed",
    ("pending", "cancel"): "cancelled",
    ("processing", "begin"): "processing",
    ("processing", "delay"): "processing",
    ("processing", "info"): "processing",
    ("processing", "complete"): "completed",
    ("processing", "fail"): "failed",
    ("processing", "expire"): "failed",
    ("processing", "cancel"): "cancelled",
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("move", Move)
def test_every_pair_of_status_and_move_is_as_the_contract_says(status: Status, move: Move) -> None:
    expected = ALLOWED.get((status.value, move.value))
    if expected is None:
        with pytest.raises(MoveRefused):
            advance(status, move)
    else:
        assert advance(status, move) == expected


def test_completed_failed_and_cancelled_are_terminal_and_nothing_else_is() -> None:
    assert {Status.COMPLETED, Status.FAILED, Status.CANCELLED} == TERMINAL


def test_nothing_leads_back_to_pending() -> None:
    assert all(Status.PENDING not in moves.values() for moves in TABLE.values())


def test_the_table_knows_every_status() -> None:
    assert set(TABLE) == set(Status)
