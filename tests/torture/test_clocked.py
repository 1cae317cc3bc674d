"""A program whose clock is off by what a file says."""

import subprocess
import sys
from pathlib import Path

import pytest

from restante.core.clock import SECOND
from restante.outbound import SystemClock
from restante.torture.clocked import OffClock


@pytest.mark.parametrize("seconds", [-3600.0, 0.0, 3600.0])
def test_a_clock_is_off_by_what_its_file_says(tmp_path: Path, seconds: float) -> None:
    file = tmp_path / "clock"
    file.write_text(f"{seconds}\n")
    off = OffClock(file).now() - SystemClock().now()
    assert abs(off - seconds * SECOND) < 60 * SECOND


def test_without_its_file_it_is_the_systems(tmp_path: Path) -> None:
    assert abs(OffClock(tmp_path / "none").now() - SystemClock().now()) < 60 * SECOND


@pytest.mark.parametrize("words", [[], ["clock"]])
def test_without_a_file_and_a_command_it_is_refused_in_one_line(words: list[str]) -> None:
    command = [sys.executable, "-m", "restante.torture.clocked", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "restante: clocked: a FILE and a command are needed: FILE serve …\n"


def test_the_program_is_the_same_but_for_its_clock(tmp_path: Path) -> None:
    (tmp_path / "clock").write_text("5")
    command = [sys.executable, "-m", "restante.torture.clocked", str(tmp_path / "clock"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0.1.0" in done.stdout
