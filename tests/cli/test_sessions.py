"""Sessions that are shown, run as they stand: the examples' scripts and the shell blocks of how-to pages.

Only ports, hosts and the place of the store are others, so that they disturb nobody.
"""

import json
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from restante.webhooks.keys import secret_bytes
from restante.webhooks.signatures import signature

from .pages import BIN, ROOT, blocks, free_port, paste, wait_for
from .process import RESTANTE, Running, run
from .upstream import Answer, Seen, serving

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"
STEP = re.compile(r"^== (\d+)\. ", re.MULTILINE)
CODE = re.compile(r"^(\d{3})$", re.MULTILINE)
TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)

CONFIG = """listen = "127.0.0.1:8600"
store = "sqlite:///restante.db"
upstream.url = "http://127.0.0.1:9000"
"""


def steps(printed: str) -> dict[int, list[str]]:
    """The codes that each step of a script printed."""
    parts = STEP.split(printed)
    return {int(number): CODE.findall(text) for number, text in zip(parts[1::2], parts[2::2], strict=True)}


@contextmanager
def gateway(config: str, folder: Path, *, upstream: int) -> Iterator[str]:
    """A server as a page or an example configures it, in front of another port; its URL."""
    there = tomllib.loads(config)["upstream"]["url"]
    port = free_port()
    config = config.replace(there, f"http://127.0.0.1:{upstream}")
    (folder / "restante.toml").write_text(config.replace("127.0.0.1:8600", f"127.0.0.1:{port}"))
    with Running(*RESTANTE, "serve", folder=folder) as server:
        assert server.port() == port
        yield f"http://127.0.0.1:{port}"


def session(name: str, folder: Path) -> dict[int, list[str]]:
    """What `sh NAME.sh` prints, with both servers started as it says at its top."""
    port = free_port()
    demo = (sys.executable, "-m", f"restante.demo.{name}", "--listen", f"127.0.0.1:{port}", "--delay", "0.2")
    with Running(*demo, folder=folder, start=subprocess.Popen):
        wait_for(port)
        with gateway((EXAMPLES / f"{name}.toml").read_text(), folder, upstream=port) as url:
            return steps(paste(f"sh {EXAMPLES / name}.sh", folder, GATEWAY=url))


def test_the_session_with_the_payment_api(tmp_path: Path) -> None:
    codes = session("payments", tmp_path)
    assert codes.pop(7) in (["200"], ["409"])  # whether the payment was on its way already
    assert codes == {
        1: ["202"],
        2: ["200"],
        3: ["200"],
        4: ["200"],
        5: ["422"],
        6: ["404"],
        8: ["200"],
        9: ["200"],
        10: ["200"],
    }


def test_the_session_with_the_ticket_api(tmp_path: Path) -> None:
    codes = session("tickets", tmp_path)
    assert codes == {1: ["202"], 2: ["200"], 3: ["200"], 4: ["200"], 5: ["200"], 6: ["200"]}


def test_a_slow_report_is_ordered_waited_for_and_fetched(tmp_path: Path) -> None:
    def report(seen: Seen) -> Answer:
        assert (seen.method, seen.target, json.loads(seen.body)) == ("POST", "/reports/sales", {"year": 2026})
        return 200, [("Content-Type", "application/pdf")], b"%PDF-1.7"

    page = "docs/how-to/slow-reports.md"
    (config,) = TOML.findall((ROOT / page).read_text())
    (commands,) = blocks(page)
    with serving(report) as api, gateway(config, tmp_path, upstream=api.server_address[1]) as url:
        printed = paste(commands.replace("http://127.0.0.1:8600", url), tmp_path)
    assert '"status":"completed"' in printed
    assert (tmp_path / "sales.pdf").read_bytes() == b"%PDF-1.7"


def test_a_result_is_waited_for_and_the_feed_is_asked_by_hand(tmp_path: Path) -> None:
    (result,) = blocks("docs/reference/http.md")
    (feed,) = [block for block in blocks("docs/webhooks.md") if "/-/events" in block]
    with (
        serving(lambda _: (200, [], b"{}")) as api,
        gateway(CONFIG, tmp_path, upstream=api.server_address[1]) as url,
    ):
        accepted = json.loads(paste(f"curl -sf -X POST {url}/async/orders", tmp_path))
        result, feed = (text.replace("http://127.0.0.1:8600", url) for text in (result, feed))
        assert paste(result, tmp_path, id=accepted["request_id"]) == "{}"
        page = json.loads(paste(feed, tmp_path, cursor=""))
        assert {told["data"]["id"] for told in page["events"]} == {accepted["request_id"]}


def test_the_feed_is_pulled_with_a_key_by_the_command_and_by_hand(tmp_path: Path) -> None:
    follow, by_hand = blocks("docs/how-to/behind-a-firewall.md")
    config = CONFIG + 'auth.mode = "keys"\n'
    with (
        serving(lambda _: (200, [], b"{}")) as api,
        gateway(config, tmp_path, upstream=api.server_address[1]) as url,
    ):
        made = run("keys", "create", "--tenant", "shop", "--scopes", "submit,read", "--json", folder=tmp_path)
        key = json.loads(made.stdout)["key"]
        accepted = paste(f"curl -sf -X POST -H 'Restante-Key: {key}' {url}/async/orders", tmp_path)
        id = json.loads(accepted)["request_id"]
        page = json.loads(paste(by_hand.replace("https://pay.example", url), tmp_path, KEY=key, cursor=""))
        assert {told["data"]["id"] for told in page["events"]} == {id}
        follow = follow.replace("https://pay.example", url).replace("restante ", f"exec {BIN}/restante ")
        with Running("bash", "-c", follow, folder=tmp_path, start=subprocess.Popen, KEY=key) as following:
            page = json.loads(following.printed_until("\n").splitlines()[0])
            assert {told["data"]["id"] for told in page["events"]} == {id}


def test_a_signature_is_checked_by_hand(tmp_path: Path) -> None:
    (commands,) = [block for block in blocks("docs/webhooks.md") if "openssl" in block]
    secret, body, at = f"whsec_{'A' * 43}=", b'{"type":"transaction.completed"}', str(int(time.time()))
    (tmp_path / "body").write_bytes(body)
    printed = paste(commands, tmp_path, secret=secret, id="msg_1", at=at)
    assert printed.strip() == signature(secret_bytes(secret), id="msg_1", timestamp=at, body=body)
