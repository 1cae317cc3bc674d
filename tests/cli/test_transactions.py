"""The commands that talk to a server: processes of their own, a gateway and an upstream as they are run."""

import base64
import fcntl
import json
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import termios
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from restante.cli.printing import plain

from .. import forked
from .cable import cut
from .process import PATIENCE_SECONDS, RESTANTE, Running, environment, taken_port
from .upstream import Answer, Seen, Web, serving

NO_SUCH = "00000000-0000-8000-8000-000000000000"
BYTES = bytes(range(256)) * 4096
ESCAPE = "\x1b"


class Gateway:
    """A running server with an upstream of the test's, and the command as a process."""

    def __init__(self, url: str, upstream: Web, folder: Path) -> None:
        self.url, self.upstream, self.folder = url, upstream, folder
        self.open = threading.Event()  # until then, /slow does not answer

    def run(
        self, *arguments: str, data: bytes = b"", **variables: str
    ) -> "subprocess.CompletedProcess[bytes]":
        return forked.run(
            [*RESTANTE, *arguments],
            input=data,
            cwd=self.folder,
            env=environment(**{"RESTANTE_SERVER": self.url, **variables}),
            timeout=PATIENCE_SECONDS,
        )

    def told(self, *arguments: str, data: bytes = b"") -> str:
        """What it prints, all being well."""
        ended = self.run(*arguments, data=data)
        assert (ended.returncode, ended.stderr) == (0, b""), ended
        return ended.stdout.decode()

    def submit(self, *arguments: str) -> str:
        return self.told("submit", *arguments).strip()

    def ended(self, *arguments: str) -> str:
        """The id of one that has ended."""
        id = self.submit(*arguments)
        self.run("watch", id)
        return id

    def get(self, path: str) -> tuple[int, bytes]:
        return self.post(path, None)

    def post(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(self.url + path, body, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


LARGE = 300_000


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")

    def answer(seen: Seen) -> Answer:
        match seen.target.partition("?")[0]:
            case "/bytes":
                return 200, [("Content-Type", "image/x-odd"), ("X-Twice", "1"), ("X-Twice", "2")], BYTES
            case "/refused":
                return 422, [], b'{"error":"refused"}'
            case "/card":
                body = b'{"card":{"number":"4111 1111 1111 1111","cvc":"987"},"order":"4111111111111111"}'
                return 422 if seen.target.endswith("?no") else 201, [("X-Card", CARD)], body
            case "/large":
                return 200, [], b"x" * LARGE
            case "/gone":
                return 404, [("Content-Type", "application/problem+json")], b'{"detail":"mine"}'
            case "/slow":
                assert made.open.wait(PATIENCE_SECONDS)
            case "/hang-up":
                return 0, [], b""
            case "/deferred":
                return 202, [("Restante-Completion", "deferred")], b""
        return 201, [("Content-Type", "application/json")], b'{"ok":true}'

    (folder / "restante.toml").write_text(
        'events_url = "http://127.0.0.1:9"\nmask = ["/card/cvc", "/data/cvc"]\n'
        '[[routes]]\nmatch = "POST /deferred"\ndeferred = true\n'
        '[[routes]]\nmatch = "POST /card"\ndialect = "transaction"\ntransactions = "/cards"\n'
    )
    command = (*RESTANTE, "serve", "--listen", "127.0.0.1:0")
    with (
        serving(answer) as upstream,
        Running(*command, "--upstream", upstream.url, folder=folder) as server,
    ):
        made = Gateway(f"http://127.0.0.1:{server.port()}", upstream, folder)
        yield made


def one_line(ended: "subprocess.CompletedProcess[bytes]", code: int) -> str:
    errors = ended.stderr.decode()
    assert (ended.returncode, ended.stdout) == (code, b""), ended
    assert errors.startswith("restante: ")
    assert errors.count("\n") == 1
    return errors


# -- submit


def test_submit_prints_the_id_alone(gateway: Gateway) -> None:
    id = gateway.submit("post", "/pay?a=1&b=%20c", "--data", "plain words")
    assert re.fullmatch(r"[0-9a-f-]{36}", id)
    assert gateway.run("watch", id).returncode == 0
    seen = gateway.upstream.last()
    assert (seen.method, seen.target, seen.body) == ("POST", "/pay?a=1&b=%20c", b"plain words")
    assert seen.header("content-type") == []
    accepted = json.loads(gateway.told("submit", "GET", "/x", "--json"))
    assert list(accepted) == ["status", "request_id", "status_url", "response_url"]


def test_data_comes_from_text_a_file_or_standard_input(gateway: Gateway) -> None:
    (gateway.folder / "body").write_bytes(BYTES)
    for given, standard, body in (
        ('{"a":1}', b"", b'{"a":1}'),
        ("@body", b"", BYTES),
        ("-", BYTES[::-1], BYTES[::-1]),
        ("", b"", b""),
    ):
        id = gateway.told("submit", "PUT", "/put", "-d", given, data=standard).strip()
        gateway.run("watch", id)
        seen = gateway.upstream.last()
        assert seen.body == body
        assert seen.header("content-type") == (["application/json"] if given[:1] == "{" else [])
    assert "none cannot be read: No such file" in one_line(
        gateway.run("submit", "PUT", "/x", "-d", "@none"), 2
    )


def test_headers_go_to_the_upstream_as_they_are_given(gateway: Gateway) -> None:
    given = ["-H", "X-One: a: b", "-H", "X-Two:1", "-H", "X-Two: 2", "-H", "Content-Type: text/x", "-d", "{}"]
    gateway.ended("POST", "/x", *given)
    seen = gateway.upstream.last()
    assert [seen.header(name) for name in ("x-one", "x-two", "content-type")] == [
        ["a: b"],
        ["1", "2"],
        ["text/x"],
    ]
    assert seen.header("accept-encoding") == []


def test_a_key_makes_it_safe_to_submit_again(gateway: Gateway) -> None:
    id = gateway.submit("POST", "/x", "-d", "1", "--idempotency-key", "order-7")
    again = gateway.run("submit", "POST", "/x", "-d", "1", "--idempotency-key", "order-7")
    assert (again.returncode, again.stdout.decode().strip()) == (0, id)
    assert b"used before" in again.stderr
    assert "different request" in one_line(
        gateway.run("submit", "POST", "/x", "-d", "2", "--idempotency-key", "order-7"), 2
    )


def test_options_of_a_request(gateway: Gateway) -> None:
    options = ["--delay", "10m", "--deadline", "1h", "--priority", "-3", "--tracking-id", "order 7"]
    id = gateway.submit("POST", "/x", *options)
    shown = json.loads(gateway.told("show", id, "--json"))
    assert (shown["status"], shown["priority"], shown["tracking_id"]) == ("pending", -3, "order 7")
    assert shown["due_at"] > shown["created_at"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("POST /x --delay soon", "delay: expected a duration"),
        ("POST /x --priority 1000", "Restante-Priority"),
        ("POST /x -H nothing", "not a header"),
        ("POST /x -H 'A b: c'", "not a header"),
        ("POST /x -H 'A: €'", "Latin-1"),
        ("POST /x -H Content-Length:3", "Content-Length"),
        ("'PO ST' /x", "not an HTTP method"),
        ("GET /status/1", "Restante's own"),
        ("GET /async/x", "cannot be called"),
        ("GET", "PATH"),
    ],
)
def test_what_cannot_be_submitted_is_one_line_that_names_it(
    gateway: Gateway, arguments: str, named: str
) -> None:
    assert named in one_line(gateway.run("submit", *shlex.split(arguments)), 2)


def test_waiting_prints_the_answer_and_ends_as_the_transaction_does(gateway: Gateway) -> None:
    well = gateway.run("submit", "GET", "/bytes", "--wait")
    assert (well.returncode, well.stdout) == (0, BYTES)
    badly = gateway.run("submit", "GET", "/refused", "--wait")
    assert (badly.returncode, badly.stdout) == (3, b'{"error":"refused"}')
    id = badly.stderr.decode().strip()
    assert gateway.get(f"/async/result/{id}") == (422, b'{"error":"refused"}')  # it was not used up
    document = gateway.run("submit", "GET", "/refused", "--wait", "--json")
    assert document.returncode == 3
    assert json.loads(document.stdout)["status"] == "failed"


def test_waiting_for_what_gets_no_answer_says_why(gateway: Gateway) -> None:
    words = (
        "submit",
        "GET",
        "/x",
        "--delay",
        "1h",
        "--tracking-id",
        "mine",
        "--wait",
        "--server",
        gateway.url,
    )
    with Running(*RESTANTE, *words, folder=gateway.folder) as waiting:
        assert waiting.child.stderr is not None
        id = waiting.child.stderr.readline().strip()
        gateway.told("cancel", id)
        assert waiting.child.wait(PATIENCE_SECONDS) == 4
        assert waiting.child.stderr.read() == "restante: cancelled: Cancelled\n"


# -- result


def test_a_result_is_untouched_and_never_used_up(gateway: Gateway) -> None:
    id = gateway.ended("GET", "/bytes")
    for _ in range(2):
        assert gateway.run("result", id).stdout == BYTES
    error = gateway.ended("GET", "/gone")
    for _ in range(2):
        assert gateway.run("result", error).stdout == b'{"detail":"mine"}'
    assert gateway.get(f"/async/result/{error}")[0] == 404
    assert json.loads(gateway.get(f"/async/status/{error}")[1])["status"] == "unknown"


def test_a_result_goes_into_a_file_or_with_its_head(gateway: Gateway) -> None:
    id = gateway.ended("GET", "/bytes")
    kept = gateway.folder / "kept"
    kept.write_bytes(b"old")
    kept.chmod(0o640)
    assert gateway.told("result", id, "-o", "kept") == ""
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (BYTES, 0o640)
    assert gateway.told("result", id, "-o", "/dev/null") == ""
    head, _, body = gateway.run("result", id, "-i").stdout.partition(b"\r\n\r\n")
    assert body == BYTES
    lines = head.decode().lower().splitlines()
    assert lines[0] == "http/1.1 200 ok"
    assert [line for line in lines if line.startswith("x-twice")] == ["x-twice: 1", "x-twice: 2"]
    assert "cannot be written" in one_line(gateway.run("result", id, "-o", "none/x"), 1)
    document = json.loads(gateway.told("result", gateway.ended("GET", "/gone"), "--json"))
    assert (document["status"], document["body"]) == (404, "eyJkZXRhaWwiOiJtaW5lIn0=")


def test_a_result_that_is_not_there_yet_or_never_has_codes_of_their_own(gateway: Gateway) -> None:
    id = gateway.submit("GET", "/x", "--delay", "1h")
    assert "still running" in one_line(gateway.run("result", id), 6)
    gateway.told("cancel", id)
    assert "no answer" in one_line(gateway.run("result", id), 5)


# -- show and list


def test_show_is_a_block_with_the_events(gateway: Gateway) -> None:
    id = gateway.ended("POST", "/shown?a=1", "--tracking-id", "order-9")
    lines = gateway.told("show", id).splitlines()
    assert lines[0] == f"{id}  {id[:8].upper()}"
    rows = dict(line.strip().split("  ", 1) for line in lines[1 : lines.index("")])
    assert rows["request"].strip() == "POST /shown?a=1"
    assert rows["tracking id"] == "order-9"
    assert rows["result"].strip() == "201, kept"
    events = [line.split() for line in lines[lines.index("") + 1 :]]
    assert [(event[0], event[3]) for event in events] == [
        ("1", "pending"),
        ("2", "processing"),
        ("3", "completed"),
    ]
    assert json.loads(gateway.told("show", id, "--json")) == json.loads(
        gateway.get(f"/-/transactions/{id}")[1]
    )


def test_list_follows_the_cursor(gateway: Gateway) -> None:
    def accept(number: int) -> str:
        made = urllib.request.Request(f"{gateway.url}/async/many/{number % 2}", method="PATCH", data=b"")
        made.add_header("Restante-Tracking-Id", f"n{number}")
        with urllib.request.urlopen(made, timeout=10) as answer:
            id: str = json.load(answer)["request_id"]
        return id

    ids = [accept(number) for number in range(130)][::-1]

    def listed(*arguments: str) -> list[Any]:
        return [json.loads(line) for line in gateway.told("list", "--json", *arguments).splitlines()]

    assert [one["id"] for one in listed("--operation", "update", "--all")][:130] == ids
    assert [one["id"] for one in listed("--trigger-endpoint", "many/1", "--limit", "3")] == ids[0:6:2]
    assert [one["id"] for one in listed("--trigger-endpoint", "many/0", "--all")] == ids[1::2]
    assert len(listed("--limit", "120")) == 120
    assert len(listed()) == 50
    assert listed("--tracking-id", "n7")[0]["id"] == ids[-8]
    assert listed("--tracking-id", "n7", "--to", "2020-01-01") == []
    assert listed("--from", "2999-01-01", "--status", "completed") == []


def test_a_list_is_a_table_that_says_when_it_is_cut_short(gateway: Gateway) -> None:
    ids = [gateway.submit("GET", f"/table/{number}", "--delay", "1h") for number in range(2)]
    short = gateway.run("list", "--limit", "1")
    head, row = short.stdout.decode().splitlines()
    assert re.split(r"  +", head) == [
        "ID",
        "CREATED AT",
        "STATUS",
        "OPERATION",
        "TRACKING ID",
        "TRIGGER ENDPOINT",
    ]
    assert re.split(r"  +", row)[::2] == [ids[1], "pending", "-"]
    assert row.endswith("table/1")
    assert short.stderr == b"restante: there are more than 1; see --limit and --all\n"
    assert gateway.told("list", "--tracking-id", "none").split()[0] == "ID"


def test_a_filter_that_cannot_be_is_one_line(gateway: Gateway) -> None:
    assert "status must be one of" in one_line(gateway.run("list", "--status", "done"), 2)
    assert "created_from must be" in one_line(gateway.run("list", "--from", "yesterday"), 2)
    assert "do not go together" in one_line(gateway.run("list", "--all", "--limit", "1"), 2)


# -- watch and what is done by hand


def test_watch_goes_on_to_the_end_and_its_code_says_which(gateway: Gateway) -> None:
    gateway.open.clear()
    id = gateway.submit("GET", "/slow")
    command = (*RESTANTE, "watch", id, "--server", gateway.url)
    with Running(*command, folder=gateway.folder) as watching:
        watching.printed_until("processing")
        gateway.open.set()
        watching.printed_until("completed")
        assert watching.child.wait(PATIENCE_SECONDS) == 0
    assert [line.split()[0] for line in watching.printed] == ["1", "2", "3"]
    failed = gateway.submit("GET", "/refused")
    ended = gateway.run("watch", failed, "--json")
    assert ended.returncode == 3
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert [event["event"] for event in events] == ["transition", "transition", "failure"]
    cancelled = gateway.submit("GET", "/x", "--delay", "1h")
    gateway.told("cancel", cancelled)
    assert gateway.run("watch", cancelled).returncode == 4


def test_a_cancel_again_is_no_error_and_too_late_is_code_6(gateway: Gateway) -> None:
    id = gateway.submit("GET", "/x", "--delay", "1h")
    for _ in range(2):
        assert gateway.told("cancel", id) == f"{id} cancelled\n"
    assert json.loads(gateway.told("cancel", id, "--json"))["status"] == "cancelled"
    assert "too late" in one_line(gateway.run("cancel", gateway.ended("GET", "/x")), 6)


def test_commands_go_together_in_a_pipe(gateway: Gateway) -> None:
    line = "restante submit GET /bytes | tee id | restante watch - >&2 && restante result - < id"
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line.replace("restante", shlex.join(RESTANTE))],
        cwd=gateway.folder,
        env=environment(RESTANTE_SERVER=gateway.url),
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, BYTES), ended.stderr
    assert "an id is needed" in one_line(gateway.run("show", "-"), 2)


def test_a_url_that_names_a_transaction_is_as_good_as_its_id(gateway: Gateway) -> None:
    accepted = json.loads(gateway.told("submit", "GET", "/x", "--json"))
    id = accepted["request_id"]
    assert gateway.run("watch", accepted["status_url"]).returncode == 0
    assert gateway.told("result", accepted["response_url"]) == gateway.told("result", id)
    assert json.loads(gateway.told("show", f"{gateway.url}/-/transactions/{id}", "--json"))["id"] == id
    assert "there is no id in this URL" in one_line(gateway.run("show", "http://127.0.0.1/"), 2)


COMMANDS = ["show", "result", "watch", "cancel"]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_id_is_code_5_and_a_line_that_helps(gateway: Gateway, command: str) -> None:
    for id in (NO_SUCH, "../x", "é", "order-7"):
        line = one_line(gateway.run(command, id), 5)
        assert f"there is no transaction {id} on {gateway.url}" in line
        assert ("36 characters" in line) == (len(id) != 36)


@pytest.mark.parametrize("command", ["list", "submit GET /x", *(f"{c} x" for c in COMMANDS)])
def test_nobody_there_is_one_line(gateway: Gateway, command: str) -> None:
    with taken_port() as port:
        pass
    url = f"http://127.0.0.1:{port}"
    line = one_line(gateway.run(*command.split(), RESTANTE_SERVER=url), 1)
    assert line == f"restante: {url}: no answer: Connection refused\n"


@pytest.mark.parametrize("command", ["list", "submit GET /x", *(f"{c} x" for c in COMMANDS)])
def test_somebody_else_there_is_one_line(gateway: Gateway, command: str) -> None:
    assert "is it a Restante server?" in one_line(
        gateway.run(*command.split(), "--server", gateway.upstream.url), 1
    )


def test_nobody_elses_answer_is_printed_as_the_upstreams(gateway: Gateway) -> None:
    id = gateway.ended("GET", "/x")
    for code in (200, 502):
        with serving(lambda seen, code=code: (code, [], b"<html>")) as web:  # type: ignore[misc]
            ended = gateway.run("result", id, "--server", web.url)
            assert ended.stdout == b""
            assert f"answered {code}" in one_line(ended, 1)


@pytest.mark.parametrize("path", ["x", "http://127.0.0.1:9/x"])
def test_a_path_begins_with_a_slash(gateway: Gateway, path: str) -> None:
    assert "begins with a slash" in one_line(gateway.run("submit", "GET", path), 2)


@pytest.mark.parametrize("url", ["there", "ftp://a", "http://u:p@a", "http://a:b", "http://a?b", "http://é"])
def test_a_server_that_is_no_url_is_code_2(gateway: Gateway, url: str) -> None:
    assert "--server: expected a URL" in one_line(gateway.run("list", "--server", url), 2)


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    assert plain("a\x1b[2Jb\r\nc\x9b") == "a\\x1b[2Jb\\r\\nc\\x9b"
    assert plain({"é": "\x1b"}) == '{"é":"\\u001b"}'
    assert (plain(None), plain(""), plain(3)) == ("-", "-", "3")


# -- what is done again, or by hand


def test_retry_prints_the_id_of_a_new_transaction(gateway: Gateway) -> None:
    old = gateway.ended("POST", "/again", "-d", "once more", "--tracking-id", "order-8")
    new = gateway.told("retry", old).strip()
    assert gateway.run("watch", new).returncode == 0
    assert [seen.body for seen in gateway.upstream.came if seen.target == "/again"] == [b"once more"] * 2
    third = json.loads(gateway.told("retry", new, "--json"))
    assert (third["retry_of"], third["tracking_id"]) == (new, "order-8")
    waiting = gateway.submit("GET", "/x", "--delay", "1h")
    assert "not ended" in one_line(gateway.run("retry", waiting), 6)


def test_resolve_ends_what_has_not_ended_with_what_why_and_who(gateway: Gateway) -> None:
    id = gateway.submit("POST", "/deferred")
    while len(json.loads(gateway.told("show", id, "--json"))["events"]) < 3:
        pass
    given = ["resolve", id, "--reason", "seen in the bank's list"]
    assert "--completed or --failed" in one_line(gateway.run(*given), 2)
    assert "one of them" in one_line(gateway.run(*given, "--completed", "--failed"), 2)
    assert "--reason" in one_line(gateway.run("resolve", id, "--failed"), 2)
    assert gateway.told(*given, "--completed", "--by", "Ana") == f"{id} completed\n"
    document = json.loads(gateway.told("show", id, "--json"))
    said = {"resolved": "completed", "reason": "seen in the bank's list", "by": "Ana"}
    assert [event["data"] for event in document["events"] if event["data"].get("by")] == [said]
    assert document["status"] == "completed"
    assert "resolved already" in one_line(gateway.run(*given, "--failed"), 6)


def test_resolve_leaves_what_has_ended_as_it_ended(gateway: Gateway) -> None:
    id = gateway.ended("POST", "/hang-up")
    ended = gateway.run("resolve", id, "--completed", "--reason", "it is there", "--json", LOGNAME="bo")
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["status"], document["outcome"]) == (0, "failed", "interrupted")
    said = {"resolved": "completed", "reason": "it is there", "by": "bo"}
    assert document["events"][-1]["data"] == said
    known = gateway.ended("GET", "/x")
    assert "outcome is known" in one_line(gateway.run("resolve", known, "--failed", "--reason", "no"), 6)


# -- lines that break, servers that go and come back, readers that leave


def test_a_file_is_all_of_a_result_or_as_it_was(gateway: Gateway) -> None:
    id = gateway.ended("GET", "/bytes")
    (gateway.folder / "whole").write_bytes(b"old")
    with cut(gateway.url, 10**9, 100_000) as cable:  # the first is asked how it stands
        assert "broke off" in one_line(gateway.run("result", id, "-o", "whole", "--server", cable.url), 1)
        assert (gateway.folder / "whole").read_bytes() == b"old"
        assert not list(gateway.folder.glob(".whole*"))
        assert gateway.told("result", id, "-o", "whole", "--server", cable.url) == ""
    assert (gateway.folder / "whole").read_bytes() == BYTES


def numbers(printed: list[str]) -> list[int]:
    return [json.loads(line)["sequence"] for line in printed if line]


def test_a_stream_that_breaks_off_is_resumed(gateway: Gateway) -> None:
    gateway.open.clear()
    id = gateway.submit("GET", "/slow")
    while len(json.loads(gateway.told("show", id, "--json"))["events"]) < 2:
        pass
    with cut(gateway.url, 500, 0) as cable:  # in the middle of the second event; then nothing at all
        words = ("watch", id, "--json", "--server", cable.url)
        with Running(*RESTANTE, *words, folder=gateway.folder) as watching:
            watching.printed_until('"processing"')
            gateway.open.set()
            watching.printed_until('"completed"')
            assert watching.child.wait(PATIENCE_SECONDS) == 0
    assert numbers(watching.printed) == [1, 2, 3]
    seen = [re.findall(r"last-event-id: (\d+)", head)[0] for head in cable.asked]
    assert seen == ["0", "1", "1"]
    assert all("accept: text/event-stream" in head for head in cable.asked)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_watch_goes_on_when_the_server_is_started_again(
    number: signal.Signals, gateway: Gateway, tmp_path: Path
) -> None:
    with taken_port() as port:
        pass
    address, url = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
    serve = (*RESTANTE, "serve", "--upstream", gateway.upstream.url, "--listen", address, "--grace", "0s")
    gateway.open.clear()
    with Running(*serve, folder=tmp_path) as first:
        first.port()
        id = gateway.told("submit", "GET", "/slow", "--server", url).strip()
        command = (*RESTANTE, "watch", id, "--json", "--server", url)
        with Running(*command, folder=tmp_path) as watching:
            watching.printed_until('"processing"')
            first.stop(number)
            with Running(*serve, folder=tmp_path) as second:
                second.port()
                gateway.open.set()
                watching.printed_until('"completed"')
                assert watching.child.wait(PATIENCE_SECONDS) == 0
                shown = json.loads(gateway.told("show", id, "--json", "--server", url))
    assert numbers(watching.printed) == [event["sequence"] for event in shown["events"]]


def test_watch_does_without_a_stream_where_too_many_are_open(gateway: Gateway, tmp_path: Path) -> None:
    gateway.open.clear()
    listen = ("--listen", "127.0.0.1:0", "--max-streams", "0")
    with Running(*RESTANTE, "serve", "--upstream", gateway.upstream.url, *listen, folder=tmp_path) as server:
        url = f"http://127.0.0.1:{server.port()}"
        id = gateway.told("submit", "GET", "/slow", "--server", url).strip()
        with Running(*RESTANTE, "watch", id, "--json", "--server", url, folder=tmp_path) as watching:
            watching.printed_until('"processing"')
            gateway.open.set()
            watching.printed_until('"completed"')
            assert watching.child.wait(PATIENCE_SECONDS) == 0
    assert numbers(watching.printed) == [1, 2, 3]


def test_ctrl_c_ends_a_watch_and_says_nothing(gateway: Gateway, tmp_path: Path) -> None:
    id = gateway.submit("GET", "/x", "--delay", "1h")
    with Running(*RESTANTE, "watch", id, "--server", gateway.url, folder=tmp_path) as watching:
        watching.printed_until("pending")
        assert watching.stop(signal.SIGINT) == (130, "\n")  # behind the terminal's ^C


@pytest.mark.parametrize(
    "command", ["list --all --json", "list", "show ID", "result ID", "watch ID", "check"]
)
def test_a_reader_that_has_left_is_no_trouble(gateway: Gateway, command: str) -> None:
    id = gateway.ended("GET", "/bytes")
    reading, writing = os.pipe()
    os.close(reading)
    ended = forked.run(
        [*RESTANTE, *command.replace("ID", id).split()],
        cwd=gateway.folder,
        stdout=writing,
        env=environment(RESTANTE_SERVER=gateway.url, RESTANTE_UPSTREAM="http://127.0.0.1:9"),
        timeout=PATIENCE_SECONDS,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


# -- masked

CARD = "4111111111111111"
MASKED = "411111******1111"
SPELLED = "4111 1111 1111 1111"


@pytest.mark.parametrize("how", ["?ok", "?no"])
def test_people_see_no_card_number_nor_what_mask_names(gateway: Gateway, how: str) -> None:
    id = json.loads(
        gateway.told("submit", "POST", "/card" + how, "--tracking-id", f"order {CARD}", "--json")
    )["request_id"]
    gateway.run("watch", id)
    for command in (("show", id), ("watch", id), ("list", "--limit", "1")):
        printed = gateway.run(*command).stdout.decode()
        assert CARD not in printed and MASKED in gateway.run("show", id).stdout.decode()
    assert f"order {CARD}" in gateway.told("show", id, "--raw")
    shown = on_a_terminal(gateway, "result", id, "--include")
    assert CARD not in shown and SPELLED not in shown and "987" not in shown
    assert f"x-card: {MASKED}" in shown and '"cvc": "…"' in shown
    shown = json.loads(on_a_terminal(gateway, "result", id, "--json"))
    body = base64.b64decode(shown["body"]).decode()
    assert MASKED in str(shown["headers"]) and SPELLED not in body and '"cvc": "…"' in body
    raw = on_a_terminal(gateway, "result", id, "--raw")
    assert SPELLED in raw and '"987"' in raw
    assert SPELLED in gateway.told("result", id)  # for a program
    assert json.loads(gateway.told("show", id, "--json"))["tracking_id"] == f"order {CARD}"
    assert CARD not in on_a_terminal(gateway, "show", id, "--json")
    assert "Restante-Mask" not in gateway.told("result", id, "--include")


def test_the_error_of_a_failure_event_is_masked_for_people_and_whole_for_callers(gateway: Gateway) -> None:
    _, accepted = gateway.post("/card?no", b"{}")
    id = json.loads(accepted)["transaction_id"]
    gateway.run("watch", id)
    for command in ("show", "watch"):
        printed = gateway.run(command, id).stdout.decode()
        assert "error_message" in printed and CARD not in printed and SPELLED not in printed
    _, whole = gateway.get(f"/cards/{id}")
    assert SPELLED in json.loads(whole)["events"][-1]["data"]["error_message"]


def test_an_answer_too_large_to_be_masked_goes_elsewhere(gateway: Gateway) -> None:
    id = gateway.ended("GET", "/large")
    assert "use --output FILE or a pipe" in on_a_terminal(gateway, "result", id, code=2)
    assert len(gateway.told("result", id)) == LARGE


# -- on a terminal


def on_a_terminal(gateway: Gateway, *arguments: str, columns: int = 80, code: int = 0, **given: str) -> str:
    """What a terminal of so many columns is sent, errors included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    ended = forked.Popen(
        [*RESTANTE, *arguments],
        cwd=gateway.folder,
        stdout=theirs,
        stderr=theirs,
        env=environment(RESTANTE_SERVER=gateway.url, COLUMNS="", **given),
    )
    os.close(theirs)
    printed = b""
    with suppress(OSError):  # the end of a terminal that nobody writes to any more
        while piece := os.read(ours, 65536):
            printed += piece
    os.close(ours)
    assert ended.wait(PATIENCE_SECONDS) == code, printed
    return printed.decode().replace("\r\n", "\n")


def test_colours_are_for_terminals(gateway: Gateway) -> None:
    id = gateway.ended("GET", "/x")
    assert ESCAPE not in gateway.told("show", id)
    assert ESCAPE + "[32mcompleted" in on_a_terminal(gateway, "show", id, NO_COLOR="")
    assert ESCAPE not in on_a_terminal(gateway, "show", id, NO_COLOR="1")


@pytest.mark.parametrize("columns", [72, 80, 100, 130, 200])
def test_a_list_fits_the_terminal_and_ids_stay_whole(gateway: Gateway, columns: int) -> None:
    words = ("--delay", "1h", "--tracking-id", "order-4711")
    id = gateway.submit("GET", "/a/rather/long/path/to/something/on/the/shelf", *words)
    head, row = on_a_terminal(gateway, "list", "--limit", "1", columns=columns, NO_COLOR="1").splitlines()[:2]
    assert row.startswith(id)
    assert max(len(head), len(row)) <= columns
    assert ("TRACKING ID" in head) == ("order-4711" in row) == (columns >= 130)
    assert ("/shelf" in row) == ("…" not in row) == (columns >= 100)


def test_event_data_that_does_not_fit_goes_below(gateway: Gateway) -> None:
    id = gateway.ended("GET", "/refused")
    wide = on_a_terminal(gateway, "show", id, columns=200, NO_COLOR="1").splitlines()
    assert wide[-1].endswith('The upstream answered 422  {"status_code":422}')
    narrow = on_a_terminal(gateway, "watch", id, columns=90, code=3, NO_COLOR="1").splitlines()
    assert narrow[-2].endswith("The upstream answered 422")
    assert narrow[-1] == '       {"status_code":422}'
    assert max(map(len, narrow)) <= 90


def test_progress_is_a_bar_on_a_terminal_and_only_there(gateway: Gateway) -> None:
    id = gateway.submit("POST", "/deferred")
    while len(json.loads(gateway.told("show", id, "--json"))["events"]) < 3:
        pass
    (token,) = gateway.upstream.last().header("restante-events-token")
    for report in (
        {"message": "Drawing \x1b[2J [b]charts[/b]", "data": {"done": 3, "total": 10}},
        {"status": "completed", "result": {"status": 200, "body": "done"}},
    ):
        made = urllib.request.Request(
            f"{gateway.url}/-/transactions/{id}/events", json.dumps(report).encode()
        )
        made.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(made, timeout=10) as answer:
            assert answer.status == 200
    shown = on_a_terminal(gateway, "watch", id, columns=120)
    assert "3 of 10" in shown and "30%" in shown and ESCAPE + "[2J" not in shown
    assert "[b]charts[/b]" in shown
    printed = gateway.told("watch", id)
    assert "30%" not in printed and ESCAPE not in printed
    assert len(printed.splitlines()) == 5


def test_a_result_on_a_terminal_is_text_and_ends_its_line(gateway: Gateway) -> None:
    assert on_a_terminal(gateway, "result", gateway.ended("GET", "/x")) == '{"ok":true}\n'
    id = gateway.ended("GET", "/bytes")
    said = on_a_terminal(gateway, "result", id, code=2)
    assert said == "restante: the answer is not plain text; use --output FILE or a pipe\n"
    *_, hint = on_a_terminal(gateway, "submit", "GET", "/bytes", "--wait").splitlines()
    assert "not plain text" in hint and "--output FILE" in hint


def test_an_upstream_is_paused_listed_and_resumed(gateway: Gateway) -> None:
    assert gateway.told("upstreams", "pause", "default") == "default is paused\n"
    try:
        id = gateway.submit("POST", "/work")
        head, row = gateway.told("upstreams").splitlines()
        assert head.split() == ["NAME", "URL", "RUNNING", "QUEUED", "PAUSED"]
        assert row.split()[0] == "default" and row.split()[-1] == "true"
        (one,) = json.loads(gateway.told("upstreams", "--json"))["upstreams"]
        assert one["paused"] is True and one["queued"] >= 1
        assert json.loads(gateway.told("show", id, "--json"))["status"] == "pending"
    finally:
        assert gateway.told("upstreams", "resume", "default") == "default is not paused\n"
    assert gateway.run("watch", id).returncode == 0


def test_an_upstream_that_is_not_there_is_one_line_and_exit_code_5(gateway: Gateway) -> None:
    for what in ("pause", "resume"):
        ended = gateway.run("upstreams", what, "none")
        assert (ended.returncode, ended.stdout) == (5, b"")
        assert ended.stderr.decode().splitlines() == [
            f"restante: there is no upstream none on {gateway.url}; restante upstreams lists them"
        ]
    misplaced = gateway.run("upstreams", "--json", "pause", "default")
    assert misplaced.returncode == 2 and b"flags go behind pause" in misplaced.stderr
