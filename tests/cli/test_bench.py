"""`restante bench`: what it measures is a server that runs, or one that it starts and ends."""

import json
from pathlib import Path

import httpx
import pytest

from .process import RESTANTE, Running, run
from .upstream import Answer, Seen, serving

SHORT = ("--seconds", "0.2", "--connections", "4", "--lives", "3")


def echoed(seen: Seen) -> Answer:
    return (404, [], b"no") if seen.target == "/absent" else (200, [], seen.body)


@pytest.mark.sound_store("measures what a server takes, and ends where it refuses")
def test_a_running_server_is_measured(tmp_path: Path) -> None:
    command = (*RESTANTE, "serve", "--listen", "127.0.0.1:0")
    with (
        serving(echoed) as upstream,
        Running(*command, "--upstream", upstream.url, folder=tmp_path) as server,
    ):
        url = f"http://127.0.0.1:{server.port()}"
        ended = run(
            "bench", "--url", url, "--path", "/a?b=1", "--data", "{}", "--json", *SHORT, folder=tmp_path
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        found = json.loads(ended.stdout)
        assert {seen.target for seen in upstream.came} == {"/a?b=1"}
        assert found["request"] == "POST /async/a?b=1"
        assert found["latency"]["count"] == 3
        counted = httpx.get(f"{url}/-/metrics").text.splitlines()
        (accepted,) = [line.split()[-1] for line in counted if line.startswith("restante_accepted_total")]
        assert 0 < found["accept"]["count"] <= float(accepted)
        assert 0 < found["life"]["per_second"] <= found["accept"]["per_second"]
        assert found["answered"] == 200

        failing = run("bench", "--url", url, "--path", "/absent", *SHORT, folder=tmp_path)
        assert failing.returncode == 0
        assert failing.stderr == "restante: the results were 404; see --path and --data\n"


@pytest.mark.slow
def test_a_server_of_its_own_leaves_nothing(tmp_path: Path) -> None:
    ended = run("bench", *SHORT, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["POST", "accept", "life", "latency"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--url", "x"), "restante: --url: expected a URL such as http://127.0.0.1:8600"),
        (("--url", "http://127.0.0.1:1", "--store", "sqlite:///a.db"), "restante: --store is for a server"),
        (("--url", "http://127.0.0.1:1"), "restante: http://127.0.0.1:1: no answer: Connection refused"),
    ],
)
def test_what_cannot_be_measured_is_one_line(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    ended = run("bench", *arguments, folder=tmp_path)
    assert ended.returncode != 0
    assert ended.stderr.startswith(told)
    assert ended.stderr.count("\n") == 1
