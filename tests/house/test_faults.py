"""What `--faults` does is known: which calls fail, and which tests never see it (tests/trial.py)."""

import inspect
import re
from pathlib import Path

from restante.ports import Store

from ..faults import METHODS, READS, WRITES

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


def test_few_tests_are_spared_a_store_that_fails_and_each_says_why() -> None:
    here = Path(__file__)
    files = [path for path in TESTS.rglob("*.py") if path != here]
    reasons = [reason for path in files for reason in MARK.findall(path.read_text())]
    assert all(len(reason.split()) > 1 for reason in reasons), reasons
    assert len(reasons) <= MOST, f"{len(reasons)}: mend the server, or the caller, instead"
