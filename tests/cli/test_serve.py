"""`restante serve` as a process: how it starts, how it refuses to, how it ends."""

import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from .process import RESTANTE, Running, run, taken_port

UPSTREAM = ("--upstream", "http://127.0.0.1:9")
FREE = ("--listen", "127.0.0.1:0")


def healthy(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/healthz", timeout=10) as answer:
        return bool(answer.status == 200)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    command = (*RESTANTE, "serve", *UPSTREAM, *FREE)
    with Running(*command, folder=tmp_path, start=subprocess.Popen) as server:
        assert healthy(server.port())
        code, errors = server.stop(number)
    assert code == 0, errors
    assert "Traceback" not in errors
    assert (tmp_path / "restante.db").exists()


def test_its_first_words_are_the_version_the_addresses_the_upstream_and_the_store(tmp_path: Path) -> None:
    (tmp_path / "restante.toml").write_text(
        'admin_listen = "127.0.0.1:0"\nlisten = "127.0.0.1:0"\n[upstream]\nurl = "http://127.0.0.1:9/base"\n'
    )
    with Running(*RESTANTE, "serve", folder=tmp_path) as server:
        port = server.port()
        code, _ = server.stop()
    assert code == 0
    lines = [line.split() for line in server.printed]
    admin = lines[2].pop()
    assert admin.startswith("http://127.0.0.1:")
    assert admin != f"http://127.0.0.1:{port}"
    assert lines == [
        ["restante", "0.1.0"],
        ["listens", "on", f"http://127.0.0.1:{port}"],
        ["/-/", "is", "on"],
        ["upstream", "http://127.0.0.1:9/base"],
        ["store", "sqlite:///restante.db"],
        ["settings", "restante.toml"],
    ]


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with taken_port() as port:
        ended = run("serve", *UPSTREAM, "--listen", f"127.0.0.1:{port}", folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == f"restante: listen: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("store", "why"),
    [
        ("sqlite:////no/such/folder/restante.db", "there is no folder"),
        ("sqlite:///here", "here"),
        ("sqlite:///text.db", "not a database"),
    ],
)
def test_an_unreachable_store_is_one_line(tmp_path: Path, store: str, why: str) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "text.db").write_text("this is not a database, and long enough to be seen as none\n" * 20)
    ended = run("serve", *UPSTREAM, *FREE, "--store", store, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("restante: store: ")
    assert why in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_one_file_has_one_server(tmp_path: Path) -> None:
    with Running(*RESTANTE, "serve", *UPSTREAM, *FREE, folder=tmp_path) as server:
        port = server.port()
        ended = run("serve", *UPSTREAM, *FREE, folder=tmp_path)
        assert healthy(port)
    assert ended.returncode == 2
    assert ended.stderr.startswith("restante: store: ")
    assert ended.stderr.count("\n") == 1


def test_without_an_upstream_it_says_so(tmp_path: Path) -> None:
    ended = run("serve", folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        "restante: upstream: missing: say which API does the work, "
        "with --upstream URL or [upstream] url = …\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_wrong_configuration_is_one_line_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(
        '[upstream]\nurl = "http://127.0.0.1:9"\n[[routes]]\nmatch = "tickets"\n'
    )
    ended = run("serve", "--config", "other.toml", folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        'restante: routes[0].match: expected a method (or *) and a path, such as "POST /channel/v0/tickets" '
        'or "* /v2/*" (in other.toml)\n'
    )
    assert [path.name for path in tmp_path.iterdir()] == ["other.toml"]


def test_it_tells_its_version(tmp_path: Path) -> None:
    ended = run("--version", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "restante 0.1.0\n")
