"""The README's and the first page's commands do what is said of them, typed as they stand.

Only the ports are others, so that the tests disturb nobody, and `make run` and `make install` are known
to be what the Makefile says, which is not done again here.
"""

import re
import shlex
import subprocess
from pathlib import Path

from .pages import BIN, ROOT, blocks, free_port, paste, wait_for
from .process import RESTANTE, Running


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
