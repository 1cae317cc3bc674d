"""What `--faults` does is known: which calls fail, and which tests never see it (tests/trial.py)."""

import inspect
import re
from pathlib import Path

import pytest

from restante.ports import Store

from ..faults import METHODS, READS, WRITES
from ..trial import chance_of

TESTS = Path(__file__).parents[1]
MARK = re.compile(r'mark\.sound_store\((?:"([^"]*)")?')

MOST = 40
"""Tests, or files of them, that never see a store that fails. Each is one that this shows nothing about."""

NEVER = {"close"}
"""Who ends a store does not ask it."""


def test_every_method_of_a_store_that_can_fail_does() -> None:
    asked = {name for name in vars(Store) if inspect.iscoroutinefunction(getattr(Store, name))}
    inherited = {
        name
        for kind in Store.__mro__
        for name, what in vars(kind).items()
        if inspect.iscoroutinefunction(what)
    }
    assert asked | inherited | {"offer", "offer_change"} == set(METHODS) | NEVER
    assert len(METHODS) == len(set(METHODS)) == len(READS) + len(WRITES)


@pytest.mark.parametrize("text", ["0", "1", "-0.05", "2", "nan", "often"])
def test_a_chance_at_which_nothing_is_shown_is_refused(text: str) -> None:
    with pytest.raises(pytest.exit.Exception, match=f"--faults {text}: ") as refused:
        chance_of(text)
    assert refused.value.returncode == 2


def test_few_tests_are_spared_a_store_that_fails_and_each_says_why() -> None:
    here = Path(__file__)
    files = [path for path in TESTS.rglob("*.py") if path != here]
    reasons = [reason for path in files for reason in MARK.findall(path.read_text())]
    assert all(len(reason.split()) > 1 for reason in reasons), reasons
    assert len(reasons) <= MOST, f"{len(reasons)}: mend the server, or the caller, instead"
