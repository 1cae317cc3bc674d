"""The README's and the first page's commands do what is said of them, typed as they stand.

Only the ports are others, so that the tests disturb nobody, and `make run` and `make install` are known
to be what the Makefile says, which is not done again here.
"""

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from .process import PATIENCE_SECONDS, RESTANTE, Running, environment

ROOT = Path(__file__).parents[2]
SHELL = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
BIN = str(Path(sys.executable).parent)


def blocks(page: str) -> list[str]:
    """The shell commands of a page, as a reader pastes them."""
    return [textwrap.dedent(found[2]) for found in SHELL.finditer((ROOT / page).read_text())]


def paste(commands: str, folder: Path) -> str:
    """What a shell prints; it stops at the first command that fails."""
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        os.sched_yield()
    raise AssertionError(f"nobody listens on {port}")


def test_the_readme_names_what_the_makefile_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    typed = [block.strip() for block in blocks("README.md")]
    assert typed[0] == "make run"
    assert typed[-1] == "make check"
    assert re.search(r"^run: .*\n\t\$\(BIN\)/restante demo", makefile, re.MULTILINE)
    assert re.search(r"^check: format lint types test$", makefile, re.MULTILINE)
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-3:] == [
        "make check",
        "make check-slow",
        "make fuzz",
    ]


def test_the_readmes_session_shows_202_then_status_then_result(tmp_path: Path) -> None:
    _, payment, reading, _, _ = blocks("README.md")
    with Running(*RESTANTE, "demo", "--listen", "127.0.0.1:0", "--no-traffic", folder=tmp_path) as demo:
        port = demo.port()
        session = (payment + reading).replace("127.0.0.1:8600", f"127.0.0.1:{port}")
        printed = paste(session, tmp_path)
    assert printed.startswith("HTTP/1.1 202 Accepted")
    assert printed.index('"status_url"') < printed.index('"uid"')
    assert re.findall(r'"status":"(\w+)"', printed) == [
        "processing",
        "processing",
        "successful",
        "successful",
    ]


def test_the_readmes_gateway_stands_in_front_of_any_api(tmp_path: Path) -> None:
    (command,) = [block for block in blocks("README.md") if "restante serve" in block]
    words = shlex.split(command.replace("127.0.0.1:8600", "127.0.0.1:0"))
    assert words[:2] == [".venv/bin/restante", "serve"]
    with Running(*RESTANTE, *words[1:], folder=tmp_path) as gateway:
        port = gateway.port()
        printed = paste(f"curl -si -X POST http://127.0.0.1:{port}/async/anything", tmp_path)
    assert printed.startswith("HTTP/1.1 202 Accepted")


def test_the_first_pages_session_runs_as_it_stands(tmp_path: Path) -> None:
    upstream, gateway = free_port(), free_port()
    session = "\n".join(blocks("docs/start.md"))
    session = session.replace("127.0.0.1:9000", f"127.0.0.1:{upstream}")
    session = session.replace("127.0.0.1:8600", f"127.0.0.1:{gateway}")
    session = session.replace(".venv/bin", BIN)
    install, started, *rest = re.split(r"^(.*) &$\n", session, flags=re.MULTILINE)
    assert install.split("#")[0].strip() == "make install"
    configure, served, calls = rest
    with Running(*shlex.split(started), folder=tmp_path, start=subprocess.Popen):
        wait_for(upstream)
        assert "all well" in paste(configure, tmp_path)
        with Running(*shlex.split(served), folder=tmp_path, start=subprocess.Popen) as server:
            assert server.port() == gateway
            printed = paste(calls, tmp_path)
    assert '"transactions":[]' in printed
    assert '"status":"successful"' in printed
    assert '"events":[' in printed
