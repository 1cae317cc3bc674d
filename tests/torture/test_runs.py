"""Whole runs, with real processes: a short one in which every law holds, and the negative controls, each of which
must be caught by the law that is about it. A checker that has never found anything proves nothing."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from restante.torture.journal import CLOCK
from restante.torture.places import Place, file_in
from restante.torture.plan import Plan
from restante.torture.postgres import own_database
from restante.torture.report import report
from restante.torture.run import Outcome, torture

from .power import cut

VICTIM = str(Path(__file__).with_name("victim.py"))
LEASE_SECONDS = 1.5
SHORT = Plan(
    seconds=15,
    seed=1,
    retention=15,
    lease=LEASE_SECONDS,
    timeout=2,
    webhook_timeout=1,
    pause=(0.2, 0.6),
    least=50,
)


@contextmanager
def place_of(store: str, folder: Path) -> Iterator[Place]:
    with file_in(folder, minutes=1) if store == "sqlite" else own_database() as place:
        yield place


def run(plan: Plan, store: str, *, weak: str, power: bool = False, jumps: bool = False) -> Outcome:
    """One run of the victim with that weakness."""
    command = [sys.executable, VICTIM, "--weak", weak, "--lease", str(LEASE_SECONDS)]
    with tempfile.TemporaryDirectory(prefix="restante-torture-") as name:
        folder = Path(name)
        clock = folder / "clock"
        clock.write_text("0")
        (folder / "run").mkdir()
        with place_of(store, folder / "run") as place:
            outcome = asyncio.run(
                torture(
                    plan,
                    place,
                    folder / "run",
                    command=[
                        *command,
                        *(["--power"] if power else []),
                        *(["--clock", str(clock)] if jumps else []),
                    ],
                    after_kill=(lambda: cut(folder / "run" / "disk")) if power else (lambda: None),
                    clock=clock if jumps else None,
                )
            )
    print(report(outcome))
    return outcome


def caught(outcome: Outcome) -> set[str]:
    return {finding.law for finding in outcome.findings if finding.violated}
