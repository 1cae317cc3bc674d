"""`restante torture` as a command: what it refuses. Whole runs are in tests/torture and `make torture`."""

from pathlib import Path

import pytest

from .process import run


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
