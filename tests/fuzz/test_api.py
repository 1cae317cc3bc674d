"""The server against its own description: schemathesis asks every call that `/-/openapi.json` tells of, in
good order, in bad order, and one after the other with what the one before has answered.

What fits the schemas is taken, what does not is refused, answers are as described, none is an error of ours.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import BAD, SHARES
from .server import Served, sound

pytestmark = pytest.mark.fuzz

EACH = 5000
"""Of so many inputs altogether, one for each call beside those that it is always asked with."""

LONGEST_SECONDS = 1200


def asked(served: Served, folder: Path, examples: int) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A run of its own, and what it writes down of each case."""
    report = folder / "cases.ndjson"
    command = [
        *(sys.executable, "-m", "schemathesis.cli"),
        *("--config-file", str(Path(__file__).with_name("schemathesis.toml"))),
        *("run", f"http://127.0.0.1:{served.port}/-/openapi.json"),
        *("--header", "Prefer: wait=0"),  # nobody is to wait
        *("--max-examples", str(examples), "--seed", "6", "--mode", "all", "--continue-on-failure"),
        *("--request-timeout", "20", "--no-shrink", "--no-color"),
        *("--report", "ndjson", "--report-ndjson-path", str(report)),
    ]
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    return ran, report


def modes(report: Path) -> list[str]:
    """Of each case that was sent, whether it was `positive` or `negative`."""
    found = []
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for case in recorder.get("cases", {}).values():
            found.append(case["value"]["meta"]["generation"]["mode"])
    return found


def test_every_call_is_as_it_is_described(
    served: Served, inputs: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    before = served.held()
    ran, report = asked(served, tmp_path, max(inputs // EACH, 1))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    after = served.held()
    sound(before, after, served.log())
    sent = modes(report)
    assert sent.count("positive") > 300
    assert sent.count("negative") >= inputs * SHARES["api"]
    record_property(BAD, sent.count("negative"))
