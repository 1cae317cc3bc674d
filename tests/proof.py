"""What a proof came to, kept where that is asked for: `PROOF=build/proof pytest …`; all of it: `make proof`.

A test that proves a promise calls `record` when it is through, with what it counted. Without PROOF nothing
is written. Each record is one small JSON file. docs/concepts/guarantees.md is made from them: no figure there
is typed by hand.

    python -m tests.proof FILE    the record of a run of `restante torture --json`, out of FILE
"""

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = "PROOF"

Counts = Mapping[str, float]


def record(
    name: str,
    *,
    operations: Counts,
    faults: Counts | None = None,
    caught: Collection[str] = (),
    by: str | None = None,
    note: str = "",
) -> None:
    """`name` says what was proved, in words, and on which store; of one name the last record stays.
    `operations` is how much was done, `faults` how often each kind of fault struck. Of a negative control,
    `caught` says by which laws or checks it was. `by` is the command that does it again, without it the test
    that runs; `note` what else was particular to this run."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return
    one = {
        "name": name,
        "note": note,
        "by": by or test(),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "operations": dict(operations),
        "faults": dict(faults or {}),
        "caught": list(caught),
    }
    path = ROOT / folder / f"{slug(name)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(one, indent=1) + "\n")


def add(name: str, *, by: str, operations: Counts, faults: Counts) -> None:
    """The same of a proof that is many tests, in whichever process: each adds what it did."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return
    path = ROOT / folder / f"{slug(name)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = json.loads(path.read_text()) if path.exists() else {"operations": {}, "faults": {}}
        summed = [
            {what: old.get(what, 0) + new.get(what, 0) for what in sorted({*old, *new})}
            for old, new in ((before["operations"], operations), (before["faults"], faults))
        ]
        record(name, operations=summed[0], faults=summed[1], by=by)


def record_torture(document: Mapping[str, Any], name: str, *, by: str | None = None, note: str = "") -> None:
    """The same of a run of torture, as `restante.torture.report.document` tells of it."""
    counts = {what: count for what, count in document["counts"].items() if count}
    laws = [f"{law['law']} ({law['violated']:,} times)" for law in document["laws"] if law["violated"]]
    record(name, operations=counts, faults=document["faults"], caught=laws, by=by, note=note)


def slug(name: str) -> str:
    """A file's name for it."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")


def test() -> str:
    """The test that runs, without its parameters."""
    return os.environ["PYTEST_CURRENT_TEST"].partition(" ")[0].partition("[")[0]


def commit() -> str:
    """What is checked out; with a + where something was changed since. Empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip()


def main(file: str) -> None:
    """Raises `SystemExit` where the run did not hold every law: it proves nothing then."""
    document = json.loads(Path(file).read_text())
    if document["verdict"] != "held":
        raise SystemExit(f"{file}: {document['verdict']}")
    minutes, store = document["fault_seconds"] / 60, document["store"]
    record_torture(
        document,
        f"torture, {store}",
        by=f"restante torture --minutes {minutes:g} --store {store} --seed {document['seed']}",
    )


if __name__ == "__main__":
    main(sys.argv[1])
