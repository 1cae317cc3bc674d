"""The laws, held against simulated days; that a seed is the same whenever and wherever it is run; and that
what is weak on purpose is caught."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import structs

from restante.core.model import Wanted

from .. import proof
from . import __main__ as command
from . import faults, many, shared
from .plan import FAULTS, Stretch, course_of, month_of
from .run import NOTHING, Outcome, simulate
from .tally import Tally
from .weak import WEAK, busy, weakened

ROOT = Path(__file__).parents[2]
SEEDS = 20
HOURS = 0.25
BOUND_SECONDS = 90.0
"""A lease, a look, and five attempts at an upstream that takes its time."""

MORE = range(4, 16)
MONTH_HOURS = 30 * 24


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, 121, SEEDS))
def test_every_law_holds_whatever_a_seed_decides(first: int) -> None:
    tally = Tally()
    wrong = []
    for seed in range(first, first + SEEDS):
        outcome = simulate(course_of(seed, hours=HOURS))
        tally.add(outcome)
        wrong += [f"seed {seed}: {line}" for line in outcome.violated]
    print(tally.text())
    assert not wrong, "\n".join(wrong)
    assert tally.counts["transactions"] > SEEDS
    assert not tally.unchecked
    assert len(tally.faults) > len(FAULTS) / 2
    proof.add("the simulation", by=proof.test(), operations=tally.operations, faults=tally.faults)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, *(pytest.param(seed, marks=pytest.mark.all) for seed in MORE)])
def test_every_law_holds_until_all_is_forgotten(seed: int) -> None:
    """At the spans that servers have by themselves."""
    outcome, tally = simulate(month_of(seed)), Tally()
    tally.add(outcome)
    print(tally.text())
    assert not outcome.violated, "\n".join(outcome.violated)
    assert outcome.hours > MONTH_HOURS
    assert not tally.unchecked
    proof.add("the simulation of months", by=proof.test(), operations=tally.operations, faults=tally.faults)


@pytest.mark.parametrize(
    "words",
    [
        *("--seeds -1", "--seeds 0", "--seed abc", "--nodes 0", "--nodes -1", "--weak not"),
        *("--jobs 0", "--trace --jobs 2"),
        *("--hours -1", "--hours 0", "--hours nan", "--hours inf", "--hours x"),
    ],
)
def test_what_would_hold_nothing_is_refused_in_one_line(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        command.main(words.split())
    out, err = capsys.readouterr()
    assert (refused.value.code, out, err.count("\n")) == (2, "", 1)
    assert words.split()[0] in err


def test_a_seed_that_did_nothing_has_failed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = Outcome(
        seed="0", hash="", hours=1.0, seconds=1.0, steps=1, commits=0, lives=1, longest=0.0,
        counts={}, faults={}, findings=(), trouble=None, unheard=(),
    )  # fmt: skip
    monkeypatch.setattr(many, "simulate", lambda course, *, say: idle)
    assert command.main(["--seed", "0"]) == 1
    out = capsys.readouterr().out
    assert f"seed 0: {NOTHING}" in out
    assert "held against nothing: I1, " in out


@pytest.mark.sound_store("the simulation has stores that fail of its own")
def test_many_at_a_time_are_what_they_are_one_after_the_other_and_in_the_same_order() -> None:
    courses = [course_of(seed, hours=0.02, nodes=1) for seed in (1, 2, 3)]
    by_one, by_two = (list(many.simulate_all(courses, jobs=jobs)) for jobs in (1, 2))
    assert [(one.seed, one.hash) for one in by_two] == [(one.seed, one.hash) for one in by_one]
    assert len({one.hash for one in by_one}) == len(courses)


def test_a_seed_is_one_history_whatever_the_process() -> None:
    """Each of these is run in a process of its own, with another order of sets and other addresses."""
    script = (
        "from tests.simulation.plan import course_of\n"
        "from tests.simulation.run import simulate\n"
        "print([simulate(course_of(seed, hours=0.05, nodes=nodes)).hash for seed, nodes in ((1, 1), (3, 2))])"
    )
    told = set()
    for order in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": order},
            capture_output=True,
            text=True,
            check=True,
        )
        told.add(done.stdout)
    assert len(told) == 1
    assert len(set(eval(told.pop()))) == 2


@pytest.mark.slow
def test_what_nobody_is_told_of_is_done_all_the_same_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two servers is killed again and again, away for long, and nobody hears of what it knew. The
    other one would find it when it has work of its own, or when that one is back; but it looks for itself,
    and again when it has the upstream for itself."""
    monkeypatch.setattr(shared, "LOST", 1.0)
    monkeypatch.setattr(faults, "AWAY_SECONDS", (10 * BOUND_SECONDS, 20 * BOUND_SECONDS))
    rare = (Stretch(hours=2.0, rest=900.0, between=5.0),)

    def longest() -> float:
        courses = [structs.replace(busy(2, "kill -9")(seed), stretches=rare) for seed in range(1, 4)]
        outcomes = [simulate(course) for course in courses]
        assert not [line for one in outcomes for line in one.violated]
        assert sum(one.counts["wake-ups lost"] for one in outcomes) > 100
        return max(one.longest for one in outcomes)

    async def once(self: object, wanted: Mapping[str, Wanted]) -> dict[str, int]:
        return {upstream: one.total for upstream, one in wanted.items()}

    assert longest() < BOUND_SECONDS
    monkeypatch.setattr(shared.SharedStore, "_look_soon", lambda self: None)
    monkeypatch.setattr(shared.SharedStore, "divide", once)
    assert longest() > BOUND_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("name", WEAK)
def test_what_is_weak_is_caught(name: str) -> None:
    """By one of the first seeds, and by the law that is about it."""
    weakness, tally = WEAK[name], Tally()
    for seed in range(1, 1 + weakness.seeds):
        with weakened(name):
            outcome = simulate(weakness.course(seed))
        tally.add(outcome)
        print(f"{name}, seed {seed}: {outcome.violated}")
        if outcome.laws & weakness.laws:
            caught = [f"{one.law} ({one.violated:,} times)" for one in outcome.findings if one.violated]
            if outcome.unheard:
                caught.append(f"what nobody expected to be raised ({len(outcome.unheard):,} times)")
            proof.record(f"the simulation without its {name}", operations=tally.operations, caught=caught)
            return
    pytest.fail(f"none of {weakness.seeds} seeds has found it")
