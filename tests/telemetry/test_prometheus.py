"""Counting, in one process and in several."""

import os
import subprocess
import sys
from pathlib import Path

from restante.core.policy import ANY_ROUTE
from restante.telemetry import Metrics
from restante.telemetry.prometheus import SHARED

from ..core.samples import a_transaction

COUNTING = """
from restante.core.policy import ANY_ROUTE
from restante.telemetry import Metrics
metrics = Metrics()
metrics.accepted(ANY_ROUTE, [None] * {count})
print(metrics.write("", [])[0].decode())
"""


def counted(folder: Path, count: int) -> str:
    """What a process that has counted so far says."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTING.format(count=count)],
        env={**os.environ, SHARED: str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_processes_of_one_address_count_together(tmp_path: Path) -> None:
    counted(tmp_path, 2)
    assert 'restante_accepted_total{route="* /*",upstream="default"} 5.0' in counted(tmp_path, 3)


def test_each_has_counts_of_its_own_otherwise() -> None:
    first, second = Metrics(), Metrics()
    first.accepted(ANY_ROUTE, [a_transaction(), a_transaction()])
    assert b'restante_accepted_total{route="* /*",upstream="default"} 2.0' in first.write("", [])[0]
    assert b"restante_accepted_total{" not in second.write("", [])[0]
