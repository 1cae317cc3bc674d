"""Where the processes of a test keep what they keep."""

from pathlib import Path

import pytest


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, of the kind that is asked for (story.kills)."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path}/restante.db"
    url: str = request.getfixturevalue("database")
    return url
