"""`restante demo` as a process: what it prints can be pasted, and there is traffic, or none."""

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from .process import PATIENCE_SECONDS, RESTANTE, Running, run

CURL = re.compile(r"^  (curl .+?)(?=\n\n|\n  curl)", re.MULTILINE | re.DOTALL)


def transactions(port: int) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/transactions", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)["transactions"]
    return found


def test_what_it_prints_can_be_pasted_and_its_store_is_thrown_away(tmp_path: Path) -> None:
    with Running(*RESTANTE, "demo", "--listen", "127.0.0.1:0", "--no-traffic", folder=tmp_path) as demo:
        port = demo.port()
        assert transactions(port) == []
        printed = demo.printed_until("Ctrl-C ends it.")
        answers = [
            subprocess.run(
                call, shell=True, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
            )
            for call in CURL.findall(printed)
        ]
        assert [answer.stdout.startswith("HTTP/1.1 202") for answer in answers] == [True, True, False]
        assert {one["dialect"] for one in transactions(port)} == {"task", "transaction"}
        store = re.search(r"sqlite:///(/\S+)", printed)
        assert store is not None
        assert Path(store[1]).exists()
        code, errors = demo.stop()
    assert (code, errors) == (0, "")
    assert not Path(store[1]).parent.exists()
    assert not list(tmp_path.iterdir())


def test_there_is_traffic_of_both_kinds(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/kept.db"
    command = (*RESTANTE, "demo", "--listen", "127.0.0.1:0", "--store", store)
    with Running(*command, folder=tmp_path) as demo:
        port = demo.port()
        until = time.monotonic() + PATIENCE_SECONDS
        while {one["dialect"] for one in transactions(port)} != {"task", "transaction"}:
            assert time.monotonic() < until, "no traffic"
        code, errors = demo.stop()
    assert (code, errors) == (0, "")
    assert (tmp_path / "kept.db").exists()


@pytest.mark.parametrize("store", ["sqlite:////no/such/folder/demo.db"])
def test_a_store_that_cannot_be_used_is_one_line(tmp_path: Path, store: str) -> None:
    ended = run("demo", "--listen", "127.0.0.1:0", "--store", store, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("restante: store: ")
    assert ended.stderr.count("\n") == 1
