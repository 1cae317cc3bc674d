"""The option `--faults`: tests with stores that fail (tests/faults.py), and what is told of it at the end.

`sound_store(reason)` marks a test whose very subject is a store that fails in one way, or one exact sequence.
"""

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from . import proof
from .faults import KINDS, Faults, counted, install

FOLDER = "FAULTY_STORES_FOLDER"
SEED = "FAULTY_STORES_SEED"

STORES = "stores/"
"""Here a store itself is what is tested, and no server is at work on it."""

TESTS = Path(__file__).parent


def options(parser: pytest.Parser) -> None:
    group = parser.getgroup("restante")
    group.addoption(
        "--faults",
        metavar="CHANCE",
        help="every store fails so often, above 0 and below 1: tests/faults.py",
    )
    group.addoption("--seed", type=int, default=None, help="of --faults; printed at the end")


def chance_of(text: str) -> float:
    """Ends the run where it is none: tests of stores that never fail would show nothing."""
    try:
        chance = float(text)
    except ValueError:
        chance = 0.0
    if not 0 < chance < 1:
        pytest.exit(f"--faults {text}: a number above 0 and below 1 is needed, as 0.05", returncode=2)
    return chance


class Trial:
    """A pytest plugin, where `--faults` is given."""

    def __init__(self, config: pytest.Config) -> None:
        chance = chance_of(config.getoption("--faults"))
        self._controls = FOLDER not in os.environ  # and is no process of pytest-xdist
        if self._controls:
            seed = config.getoption("--seed")
            os.environ[SEED] = str(random.SystemRandom().randrange(1 << 31) if seed is None else seed)
            os.environ[FOLDER] = tempfile.mkdtemp(prefix="faults-")
        self._folder = Path(os.environ[FOLDER])
        self._seed = int(os.environ[SEED])
        self._faults = Faults(chance=chance, seed=self._seed, folder=self._folder)
        self._sound = 0
        install(self._faults)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        place = item.path.relative_to(TESTS).as_posix()
        if item.get_closest_marker("sound_store") is None and not place.startswith(STORES):
            self._faults.begin(item.nodeid)
        else:
            self._faults.end()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self) -> None:
        self._faults.end()

    def pytest_report_header(self) -> str:
        return f"stores fail: --faults {self._faults.chance} --seed {self._seed}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        if not self._controls:
            return
        table = counted(self._folder)
        sums = {kind: sum(row[kind] for row in table.values()) for kind in KINDS}
        write = terminalreporter.write_line
        write(f"stores failed: --faults {self._faults.chance} --seed {self._seed}")
        hits = ", ".join(f"{sums[kind]} {kind}" for kind in KINDS[1:-1])
        write(f"{sums['calls']} calls by servers at work: {hits}; {sums['calm']} by tests were left alone")
        if terminalreporter.verbosity > 0:
            for method, row in sorted(table.items()):
                if any(row.values()):
                    write(f"  {method:18}" + "".join(f"{row[kind]:>9} {kind}" for kind in KINDS))
        if exitstatus == pytest.ExitCode.OK:
            places = " ".join(terminalreporter.config.args)
            proof.record(
                "stores that fail",
                by=f"pytest --faults {self._faults.chance} --seed {self._seed} {places}",
                operations={
                    "tests": len(terminalreporter.stats["passed"]),
                    "calls by servers at work": sums["calls"],
                },
                faults={kind: sums[kind] for kind in KINDS[1:-1]},
            )

    def pytest_unconfigure(self) -> None:
        if self._controls:
            shutil.rmtree(self._folder, ignore_errors=True)
            for name in (FOLDER, SEED):
                os.environ.pop(name, None)
