"""What a proof came to is written where that is asked for, and names a test that there is."""

import json
import re
from pathlib import Path

import pytest

from .. import proof

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "docs" / "proof").glob("*.json"))


def test_nothing_is_written_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(proof.FOLDER, raising=False)
    monkeypatch.setattr(proof, "ROOT", tmp_path)
    proof.record("a proof", operations={"submits": 3})
    assert not list(tmp_path.iterdir())


def test_a_record_says_what_was_done_what_struck_and_which_test_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(proof.FOLDER, str(tmp_path))
    proof.record("A proof, SQLite", operations={"submits": 3}, faults={"kill -9": 2})
    one = json.loads((tmp_path / "a-proof-sqlite.json").read_text())
    assert one["operations"] == {"submits": 3}
    assert one["faults"] == {"kill -9": 2}
    assert one["by"].startswith("tests/house/test_proof.py::test_a_record")


def test_what_many_tests_did_is_added_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(proof.FOLDER, str(tmp_path))
    for point in ("accept", "accept", "mark"):
        proof.add("kills", by="pytest", operations={"kills": 1}, faults={point: 1})
    one = json.loads((tmp_path / "kills.json").read_text())
    assert one["operations"] == {"kills": 3}
    assert one["faults"] == {"accept": 2, "mark": 1}


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_who_wrote_a_record_is_still_there(file: Path) -> None:
    one = json.loads(file.read_text())
    assert file.stem == proof.slug(one["name"])
    module, _, test = one["by"].partition("::")
    if test:
        assert re.search(rf"def {test.rpartition('::')[2]}\(", (ROOT / module).read_text())
        made = re.search(r"^PROOFS := (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert made and any(module.startswith(place) for place in made[1].split())
