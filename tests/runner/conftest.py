"""Attempts are made in one of two ways; what holds of one holds of the other (docs/why/0024-attempts.md)."""

import pytest

from .. import world


@pytest.fixture(params=[False, True], ids=["anew", "at_hand"], autouse=True)
def connected(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the first attempt finds a connection at hand, so that it takes no task."""
    at_hand: bool = request.param
    monkeypatch.setattr(world, "CONNECTED", at_hand)
    return at_hand
