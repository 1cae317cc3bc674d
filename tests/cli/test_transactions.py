"""The commands that talk to a server: processes of their own, a gateway and an upstream as they are run."""

import json
import os
import pty
import re
import shlex
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from restante.cli.printing import plain

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
        return subprocess.run(
            [*RESTANTE, *arguments],
            input=data,
            cwd=self.folder,
            env=environment(**{"RESTANTE_SERVER": self.url, **variables}),
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
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
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")

    def answer(seen: Seen) -> Answer:
        match seen.target.partition("?")[0]:
            case "/bytes":
                return 200, [("Content-Type", "image/x-odd"), ("X-Twice", "1"), ("X-Twice", "2")], BYTES
            case "/refused":
                return 422, [], b'{"error":"refused"}'
            case "/gone":
                return 404, [("Content-Type", "application/problem+json")], b'{"detail":"mine"}'
            case "/slow":
                assert made.open.wait(PATIENCE_SECONDS)
        return 201, [("Content-Type", "application/json")], b'{"ok":true}'

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
    id = gateway.submit("POST", "/x", "-d", "1", "--key", "order-7")
    again = gateway.run("submit", "POST", "/x", "-d", "1", "--key", "order-7")
    assert (again.returncode, again.stdout.decode().strip()) == (0, id)
    assert b"used before" in again.stderr
    assert "different request" in one_line(
        gateway.run("submit", "POST", "/x", "-d", "2", "--key", "order-7"), 2
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
        ("POST /x --delay soon", "Restante-Delay"),
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


def test_a_file_is_all_of_a_result_or_as_it_was(gateway: Gateway) -> None:
    """Against a stand-in: a gateway that breaks off in the middle."""

    def broken(seen: Seen) -> Answer:
        return 200, [("Content-Length", "100"), ("Connection", "close")], b"half"

    (gateway.folder / "whole").write_bytes(b"old")
    with serving(broken) as web:
        ended = gateway.run("result", NO_SUCH, "-o", "whole", "--server", web.url)
    assert "broke off" in one_line(ended, 1)
    assert (gateway.folder / "whole").read_bytes() == b"old"
    assert not list(gateway.folder.glob(".whole*"))


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


@pytest.mark.parametrize("command", ["list", "submit GET /x", "show x", "watch x", "cancel x", "retry x"])
def test_somebody_else_there_is_one_line(gateway: Gateway, command: str) -> None:
    assert "is it a Restante server?" in one_line(
        gateway.run(*command.split(), "--server", gateway.upstream.url), 1
    )


@pytest.mark.parametrize("url", ["there", "ftp://a", "http://u:p@a", "http://a:b", "http://a?b", "http://é"])
def test_a_server_that_is_no_url_is_code_2(gateway: Gateway, url: str) -> None:
    assert "--server: expected a URL" in one_line(gateway.run("list", "--server", url), 2)


def test_colours_are_for_terminals(gateway: Gateway) -> None:
    id = gateway.ended("GET", "/x")
    assert ESCAPE not in gateway.told("show", id)

    def on_a_terminal(**variables: str) -> str:
        ours, theirs = pty.openpty()
        subprocess.run(
            [*RESTANTE, "show", id],
            stdout=theirs,
            env=environment(RESTANTE_SERVER=gateway.url, **variables),
            timeout=PATIENCE_SECONDS,
            check=True,
        )
        os.close(theirs)
        printed = os.read(ours, 100_000).decode()
        os.close(ours)
        return printed

    assert ESCAPE + "[32mcompleted" in on_a_terminal(NO_COLOR="")
    assert ESCAPE not in on_a_terminal(NO_COLOR="1")


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    assert plain("a\x1b[2Jb\r\nc\x9b") == "a\\x1b[2Jb\\r\\nc\\x9b"
    assert plain({"é": "\x1b"}) == '{"é":"\\u001b"}'
    assert (plain(None), plain(""), plain(3)) == ("-", "-", "3")


# -- against a stand-in: what a server of this version may not have yet


def event(sequence: int, status: str) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "event": "transition",
        "message": f"m{sequence}",
        "data": {},
        "status": status,
        "created_at": "2024-11-08T11:49:35.938000Z",
    }


def streamed(*events: dict[str, Any]) -> bytes:
    return b": hello\n\n" + b"".join(
        f"id: {one['sequence']}\nevent: {one['event']}\ndata: {json.dumps(one)}\n\n".encode()
        for one in events
    )


def test_a_stream_that_breaks_off_is_resumed(gateway: Gateway) -> None:
    parts = [
        (streamed(event(1, "pending"), event(2, "processing"))[:-2], "900"),
        (b"", "0"),
        (streamed(event(2, "processing"), event(3, "completed")), "9000"),
    ]

    def answer(seen: Seen) -> Answer:
        body, size = parts.pop(0)
        kind = ("Content-Type", "text/event-stream; charset=utf-8")
        return 200, [kind, ("Content-Length", size), ("Connection", "close")], body

    with serving(answer) as web:
        ended = gateway.run("watch", NO_SUCH, "--json", "--server", web.url)
    assert ended.returncode == 0, ended
    assert [json.loads(line)["sequence"] for line in ended.stdout.splitlines()] == [1, 2, 3]
    assert [seen.header("last-event-id") for seen in web.came] == [[], ["1"], ["1"]]
    assert all(seen.header("accept") == ["text/event-stream"] for seen in web.came)


def test_a_server_that_is_away_for_a_moment_is_asked_again(gateway: Gateway) -> None:
    def told(*events: dict[str, Any]) -> Answer:
        return 200, [], json.dumps({"events": events}).encode()

    answers = [told(event(1, "pending")), (503, [], b""), told(event(1, "pending"), event(2, "failed"))]
    with serving(lambda seen: answers.pop(0)) as web:
        ended = gateway.run("watch", NO_SUCH, "--server", web.url)
    assert ended.returncode == 3, ended
    assert [line.split()[0] for line in ended.stdout.decode().splitlines()] == ["1", "2"]
    assert [seen.target.partition("?")[2] for seen in web.came] == ["", "after=1", "after=1"]
    assert [seen.header("prefer") for seen in web.came] == [[], ["wait=20"], ["wait=20"]]


def test_a_server_that_cannot_answer_at_all_is_given_up_at_once(gateway: Gateway) -> None:
    with serving(lambda seen: (503, [], b"")) as web:
        assert "answered 503" in one_line(gateway.run("watch", NO_SUCH, "--server", web.url), 1)
    assert len(web.came) == 1


def test_retry_prints_the_new_id(gateway: Gateway) -> None:
    def answer(seen: Seen) -> Answer:
        assert (seen.method, seen.target) == ("POST", f"/-/transactions/{NO_SUCH}/retry")
        return 202, [("Restante-Status", "pending")], b'{"id":"new","retry_of":"old","status":"pending"}'

    with serving(answer) as web:
        assert gateway.told("retry", NO_SUCH, "--server", web.url) == "new\n"
        assert json.loads(gateway.told("retry", NO_SUCH, "--json", "--server", web.url))["retry_of"] == "old"


def test_resolve_says_what_why_and_who(gateway: Gateway) -> None:
    def answer(seen: Seen) -> Answer:
        assert (seen.method, seen.target) == ("POST", f"/-/transactions/{NO_SUCH}/resolve")
        return 200, [], b'{"id":"a","status":"completed"}'

    with serving(answer) as web:
        given = ["resolve", NO_SUCH, "--server", web.url, "--reason", "seen in the bank's list"]
        assert gateway.told(*given, "--completed", "--by", "Ana") == "a completed\n"
        said = {"status": "completed", "reason": "seen in the bank's list", "by": "Ana"}
        assert json.loads(web.last().body) == said
        assert gateway.run(*given, "--failed", LOGNAME="bo").returncode == 0
        assert json.loads(web.last().body) == {**said, "status": "failed", "by": "bo"}
        assert "--completed or --failed" in one_line(gateway.run(*given), 2)
    assert "--reason" in one_line(gateway.run("resolve", NO_SUCH, "--failed"), 2)
