"""How many bad inputs there are to be, how many there were, and a server to send them to.

`--inputs N` (10,000 without it) is shared out by SHARES. Each test says how many it sent of what was bad,
`record_property(BAD, count)`; the end of the run prints the sum, and fails where it falls short.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .server import Served

INPUTS = 10_000
BAD = "bad inputs"

SHARES = {"parsers": 0.4, "wire": 0.59, "api": 0.01}
"""What part of all each kind has. A case that schemathesis makes costs as much as ten others."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--inputs", type=int, default=INPUTS, help="How many bad inputs there are to be.")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Whoever collects the reports counts."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    asked = session.config.getoption("inputs", None)
    if asked is None or reporter is None or hasattr(session.config, "workerinput"):
        return
    counts: dict[str, int] = {}
    for report in [*reporter.stats.get("passed", ()), *reporter.stats.get("failed", ())]:
        for name, count in report.user_properties:
            if name == BAD:
                file = Path(report.nodeid.partition("::")[0]).stem.removeprefix("test_")
                counts[file] = counts.get(file, 0) + count
    total = sum(counts.values())
    said = ", ".join(f"{file} {count:,}" for file, count in sorted(counts.items()))
    reporter.write_line(f"\n{total:,} bad inputs ({said})")
    if counts.keys() == SHARES.keys() and total < asked:
        reporter.write_line(f"fewer than the {asked:,} that were asked for", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def inputs(request: pytest.FixtureRequest) -> int:
    """How many bad inputs there are to be altogether."""
    asked: int = request.config.getoption("inputs", INPUTS)
    return asked


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("served")) as server:
        yield server
