"""The version before this one, as a program: `PREVIOUS=REF`; without it the newest tag before this commit;
where there is none, the newest commit on the first-parent line whose store was of an older schema.

It is taken out of the repository and run by the interpreter of the tests: what it depends on must be
installed for that. It is asked for its version before anything else, which fails where it is not.
"""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
MIGRATIONS = "src/restante/stores/{}/migrations/"


class Previous(msgspec.Struct, frozen=True):
    """`program` is its `restante`; `schema` the number of its last migration, `now` that of ours."""

    commit: str
    program: Sequence[str]
    schema: int
    now: int


def previous(store: str, folder: Path) -> Previous:
    """`store` is sqlite or postgres; what is taken out is put into `folder`. Skips where there is none."""
    try:
        commit = git("rev-parse", "--short", f"{os.environ.get('PREVIOUS') or tag() or before(store)}^{{}}")
    except (OSError, subprocess.CalledProcessError, StopIteration):
        if "PREVIOUS" in os.environ:
            raise
        pytest.skip("there is no version before this one: not a repository, or too little of it")
    archive = subprocess.run(
        ["git", "archive", commit, "src"], cwd=ROOT, stdout=subprocess.PIPE, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    program = started_from(folder / "src")
    subprocess.run([*program, "--version"], check=True, stdout=subprocess.DEVNULL)
    return Previous(
        commit, program, schema(commit, store), len(list((ROOT / MIGRATIONS.format(store)).glob("*.sql")))
    )


def started_from(source: Path) -> Sequence[str]:
    """The `restante` whose package is in that folder."""
    return ("env", f"PYTHONPATH={source}", sys.executable, "-m", "restante")


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def tag() -> str | None:
    """The newest one before this commit, which may itself have one."""
    try:
        return git("describe", "--tags", "--abbrev=0", "HEAD^")
    except subprocess.CalledProcessError:
        return None


def before(store: str) -> str:
    """Raises `StopIteration`."""
    ours = schema("HEAD", store)
    return next(one for one in git("rev-list", "--first-parent", "HEAD").split() if schema(one, store) < ours)


def schema(commit: str, store: str) -> int:
    """The number of its last migration; 0 before there was one."""
    return len(git("ls-tree", "--name-only", commit, MIGRATIONS.format(store)).split())
