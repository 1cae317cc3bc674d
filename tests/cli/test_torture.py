"""`restante torture` as a command: what it refuses. Whole runs are in tests/torture and `make torture`."""

import signal
import subprocess
from pathlib import Path

import pytest

from .process import PATIENCE_SECONDS, RESTANTE, environment, run


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--minutes", "0.1"), "--minutes: 0.25 at least"),
        *((("--minutes", minutes), "--minutes: 0.25 at least") for minutes in ("nan", "inf", "0", "-1")),
        (("--folder", "/proc/x"), "--folder: /proc/x cannot be used: No such file or directory"),
        (("--folder", "there"), "--folder: there cannot be used: File exists"),
        (("--store", "mysql://there"), "--store: expected sqlite, postgresql or the URL of a PostgreSQL"),
        (("--servers", "3"), "--servers: one SQLite file has one server"),
        (("--folder", "."), "--folder: . is not empty"),
    ],
)
def test_what_cannot_be_used_is_one_line(flags: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    done = run("torture", *flags, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ended_from_outside_it_leaves_nothing_running_nor_mounted(
    how: signal.Signals, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    child = subprocess.Popen(
        [*RESTANTE, "torture", "--minutes", "1", "--folder", str(folder)],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert child.stderr is not None
        next(line for line in child.stderr if "under way" in line)  # there are servers, and faults strike
        child.send_signal(how)
        assert "Traceback" not in child.communicate(timeout=PATIENCE_SECONDS)[1]
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130
    assert not (folder / "disk").is_mount()
    named = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in _text(path)]
    assert not named


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""
