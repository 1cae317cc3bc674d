"""Whole runs, with real processes: a short one in which every law holds, and the negative controls, each of
which must be caught by the law that is about it. A checker that has never found anything proves nothing."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from restante.torture.journal import CLOCK
from restante.torture.places import Place, file_in
from restante.torture.plan import Plan
from restante.torture.postgres import own_database
from restante.torture.report import document, report
from restante.torture.run import Outcome, torture

from ..proof import record_torture
from .power import cut

VICTIM = str(Path(__file__).with_name("victim.py"))
LEASE_SECONDS = 1.5
SERVERS = 2
SHORT = Plan(
    seconds=15,
    seed=1,
    retention=15,
    lease=LEASE_SECONDS,
    timeout=2,
    webhook_timeout=1,
    pause=(0.2, 0.6),
    oversleep=2.3,
    least=50,
)

WEAK = {
    "nothing": "power cuts and clocks that jump",
    "flush": "fsync off under a power cut",
    "outbox": "the outbox in a second commit",
    "fence": "no fence for overtaken workers",
    "claim": "the claim without its lock",
    "seal": "nothing is sealed that should be",
}
"""What a victim is weak in (victim.py), as a record names it."""


@contextmanager
def place_of(store: str, folder: Path) -> Iterator[Place]:
    with file_in(folder, minutes=1) if store == "sqlite" else own_database(minutes=1) as place:
        yield place


def run(plan: Plan, store: str, *, weak: str, power: bool = False, jumps: bool = False) -> Outcome:
    """One run of the victim with that weakness."""
    command = [sys.executable, VICTIM, "--weak", weak, "--lease", str(LEASE_SECONDS)]
    with tempfile.TemporaryDirectory(prefix="restante-torture-") as name:
        folder = Path(name)
        clock = folder / "clock"
        clock.write_text("0")
        command += ["--power"] if power else []
        command += ["--clock", str(clock)] if jumps else []
        (folder / "run").mkdir()
        with place_of(store, folder / "run") as place:
            outcome = asyncio.run(
                torture(
                    msgspec.structs.replace(plan, nodes=SERVERS if place.shared else 1),
                    place,
                    folder / "run",
                    commands=(command,),
                    after_kill=(lambda: cut(folder / "run" / "disk")) if power else (lambda: None),
                    clock=clock if jumps else None,
                )
            )
    print(report(outcome))
    if outcome.verdict == ("held" if weak == "nothing" else "violated"):
        record_torture(document(outcome), f"{WEAK[weak]}, {store}")
    return outcome


def caught(outcome: Outcome) -> set[str]:
    return {finding.law for finding in outcome.findings if finding.violated}


@pytest.mark.slow
def test_every_law_holds_under_kills_power_cuts_full_disks_and_jumping_clocks() -> None:
    outcome = run(SHORT, "sqlite", weak="nothing", power=True, jumps=True)
    assert outcome.verdict == "held", outcome
    assert outcome.faults[CLOCK]
    assert outcome.faults["disk full"]


@pytest.mark.all
def test_a_disk_that_forgets_is_caught_where_nothing_is_flushed() -> None:
    assert "I1" in caught(run(SHORT, "sqlite", weak="flush", power=True))


@pytest.mark.all
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_an_outbox_in_a_second_commit_is_caught(store: str) -> None:
    plan = msgspec.structs.replace(SHORT, only=("kill -9",))
    assert caught(run(plan, store, weak="outbox")) == {"I8"}


@pytest.mark.all
def test_a_worker_without_a_fence_is_caught() -> None:
    """What it was at is answered while it sleeps, and others are at the next attempt when it wakes."""
    plan = msgspec.structs.replace(
        SHORT, seconds=25, only=("stopped beyond the lease",), timeout=8, latency=(2.0, 3.0), retention=20
    )
    assert "I9" in caught(run(plan, "postgresql", weak="fence"))


@pytest.mark.all
def test_a_claim_without_its_lock_is_caught() -> None:
    plan = msgspec.structs.replace(SHORT, only=("kill -9", "upstream away"))
    assert "I3" in caught(run(plan, "postgresql", weak="claim"))


@pytest.mark.all
def test_what_should_be_sealed_and_is_in_the_file_is_caught() -> None:
    plan = msgspec.structs.replace(SHORT, seconds=5, only=("kill -9",), sealed=True)
    assert caught(run(plan, "sqlite", weak="seal")) == {"I10"}


@pytest.mark.all
def test_a_run_in_which_nothing_happened_proves_nothing() -> None:
    plan = msgspec.structs.replace(SHORT, seconds=1.5, rate=1)
    outcome = run(plan, "sqlite", weak="nothing")
    assert outcome.verdict == "inconclusive"
    assert any("accepted" in why for why in outcome.lacking)
