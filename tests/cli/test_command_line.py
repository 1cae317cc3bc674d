"""Files, environment and flags; one line for whatever is wrong with any of them."""

import json
import os
from pathlib import Path
from typing import Any

import click
import pytest

from restante.cli import entry
from restante.cli.check import check
from restante.config.settings import TOP

from .. import forked
from .process import PATIENCE_SECONDS, RESTANTE, environment

UPSTREAM = "http://127.0.0.1:9"


class Ended:
    """How a command ended, what it printed."""

    def __init__(self, code: object, printed: str, errors: str) -> None:
        self.code, self.printed, self.errors = code, printed, errors

    def told(self) -> Any:
        assert self.code == 0, self.errors
        return json.loads(self.printed)


class Command:
    """Runs the command line in this process, in a folder of its own."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], folder: Path) -> None:
        self._patch, self._capture, self.folder = patch, capture, folder
        patch.chdir(folder)
        for name in os.environ:
            if name.startswith("RESTANTE_"):
                patch.delenv(name)

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        for name, text in variables.items():
            self._patch.setenv(name, text)
        self._patch.setattr("sys.argv", ["restante", *arguments])
        with pytest.raises(SystemExit) as ended:
            entry.main()
        for name in variables:
            self._patch.delenv(name)
        printed, errors = self._capture.readouterr()
        return Ended(ended.value.code, printed, errors)

    def file(self, text: str, name: str = "restante.toml") -> str:
        (self.folder / name).write_text(text)
        return name


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    return Command(monkeypatch, capsys, tmp_path)


def test_flags_win_over_the_environment_and_that_over_the_file(command: Command) -> None:
    command.file(f'retention = "1h"\nhistory = "2h"\nmax_queued = 3\n[upstream]\nurl = "{UPSTREAM}"\n')
    variables = {"RESTANTE_RETENTION": "50m", "RESTANTE_MAX_QUEUED": "4"}
    told = command("check", "--json", "--max-queued", "5", **variables).told()
    assert (told["retention"], told["history"], told["max_queued"]) == ("50m", "2h", 5)


def test_the_upstream_of_the_file_keeps_its_other_settings(command: Command) -> None:
    command.file(f'[upstream]\nurl = "{UPSTREAM}"\nconcurrency = 3\n')
    for told in (
        command("check", "--json", "--upstream", "http://127.0.0.1:10").told(),
        command("check", "--json", RESTANTE_UPSTREAM="http://127.0.0.1:10").told(),
    ):
        assert told["upstreams"]["default"]["url"] == "http://127.0.0.1:10"
        assert told["upstreams"]["default"]["concurrency"] == 3


def test_who_may_ask_is_a_flag_and_a_variable(command: Command) -> None:
    command.file(f'[upstream]\nurl = "{UPSTREAM}"\n[auth]\nmode = "passthrough"\ninsecure = true\n')
    for told in (
        command("check", "--json", "--auth-mode", "keys").told(),
        command("check", "--json", RESTANTE_AUTH_MODE="keys").told(),
    ):
        assert told["auth"] == {"mode": "keys", "insecure": True}
    wrong = command("check", "--auth-mode", "closed")
    assert (wrong.code, "auth.mode" in wrong.errors, "--auth-mode" in wrong.errors) == (2, True, True)


GIVEN = {
    "listen": "127.0.0.1:1",
    "public_url": "https://pay.example",
    "events_url": "http://10.0.0.5:8601",
    "store": "sqlite:///a.db",
    "retention": "1h",
    "history": "90d",
    "accept_status": "200",
    "max_body": "1KiB",
    "max_result": "2KiB",
    "max_queued": "7",
    "max_queued_per_tenant": "5",
    "max_stored_per_tenant": "5MiB",
    "max_connections": "5",
    "max_head": "50KiB",
    "max_target": "5KiB",
    "head_timeout": "5s",
    "body_timeout": "5s",
    "idle_timeout": "5s",
    "rate_per_tenant": "5/m",
    "max_waiting": "8",
    "max_events": "10",
    "max_streams": "7",
    "reserve": "1MiB",
    "strict": "true",
    "trusted_proxies": "10.0.0.0/8, 192.168.0.1",
    "hosts": "gateway, Pay.Example",
    "cors_origins": "https://app.example, http://localhost:5173",
    "mask": "/card/number, /cvc",
    "admin_listen": "127.0.0.1:2",
    "grace": "1s",
    "insecure": "true",
    "log_level": "error",
    "log_format": "json",
    "log_transactions": "true",
    "traces": "http://127.0.0.1:4318/v1/traces",
    "role": "runner",
    "workers": "3",
}


@pytest.mark.parametrize("setting", TOP.settings, ids=lambda setting: setting.name)
def test_every_setting_at_the_top_is_a_flag_and_a_variable(command: Command, setting: Any) -> None:
    text = GIVEN[setting.name]
    if setting.name in ("role", "workers"):
        command.file('store = "postgresql://restante@127.0.0.1/restante"')
    plain = command("check", "--json", "--upstream", UPSTREAM).told()
    flag = "--" + setting.name.replace("_", "-")
    by_flag = command(
        "check", "--json", "--upstream", UPSTREAM, flag, *([] if text == "true" else [text])
    ).told()
    variable = {f"RESTANTE_{setting.name.upper()}": text}
    by_variable = command("check", "--json", "--upstream", UPSTREAM, **variable).told()
    assert plain != by_flag == by_variable


def test_a_flag_can_be_taken_back(command: Command) -> None:
    assert (
        command("check", "--json", "--upstream", UPSTREAM, "--no-strict", RESTANTE_STRICT="1").told()[
            "strict"
        ]
        is False
    )


def test_the_file_is_the_one_that_is_named_or_the_one_that_is_there(command: Command) -> None:
    other = command.file(f'[upstream]\nurl = "{UPSTREAM}/other"\n', "other.toml")
    command.file(f'[upstream]\nurl = "{UPSTREAM}/here"\n')
    for ended, base in (
        (command("check", "--json"), "here"),
        (command("check", "--json", "--config", other), "other"),
        (command("check", "--json", RESTANTE_CONFIG=other), "other"),
    ):
        assert ended.told()["upstreams"]["default"]["url"] == f"{UPSTREAM}/{base}"


def test_check_tells_people_what_was_understood(command: Command) -> None:
    command.file(
        f'[upstream]\nurl = "{UPSTREAM}"\nset_headers = {{ Authorization = "Bearer hunter2" }}\n'
        '[[routes]]\nmatch = "POST /tickets"\ndialect = "transaction"\ntransactions = "/transactions"\n'
    )
    ended = command("check")
    assert ended.code == 0
    lines = [line.split() for line in ended.printed.splitlines()]
    assert lines[0] == ["restante.toml:", "all", "well"]
    assert ["retention", "24h"] in lines
    assert ["upstream", UPSTREAM] in lines
    assert (
        "POST /tickets → default, transaction, looked up at /transactions, interrupted: fail" in ended.printed
    )
    assert "hunter2" not in ended.printed + command("check", "--json").printed


NAMED = "upstream: the file has [upstreams.NAME], so a single one has no place (from --upstream)"
SIZE = "max_body: expected a size such as 64KiB, 16MiB or 1GiB, or a number of bytes"
DURATION = "retention: expected a duration such as 500ms, 3s, 5m, 24h or 30d"
ORIGIN = "expected a URL such as http://127.0.0.1:9000 or https://api.example/base"
NETWORK = "trusted_proxies[1]: expected a network such as 10.0.0.0/8 or an address"
OPEN = "use a loopback address such as 127.0.0.1, another auth.mode, or set insecure = true"
STORE = (
    "expected sqlite:///FILE (sqlite:////FILE where the path begins at the root) "
    "or postgresql://USER@HOST/DATABASE"
)
PEM = "expected a PEM file with what its name says, and no passphrase"
NOT_TOML = "is not TOML: Expected '=' after a key in a key/value pair (at line 1, column 8)"
NO_FILE = "cannot be read: No such file or directory"

REFUSALS = [
    ("check --retention 1", f"{DURATION} (from --retention)"),
    ("RESTANTE_MAX_BODY=1MB check", f"{SIZE} (from RESTANTE_MAX_BODY)"),
    ("RESTANTE_STRICT=perhaps check", "strict: expected true or false (from RESTANTE_STRICT)"),
    ("check --trusted-proxies 10.0.0.0/8,x", f"{NETWORK} (from --trusted-proxies)"),
    ("check --upstream there", f"upstream.url: {ORIGIN} (from --upstream)"),
    ("RESTANTE_LISTN=a check", "RESTANTE_LISTN: there is no such setting; did you mean RESTANTE_LISTEN?"),
    ("check --config none.toml", f"config: none.toml {NO_FILE}"),
    ("check --config .", "config: . cannot be read: Is a directory"),
    ("check --config broken.toml", f"config: broken.toml {NOT_TOML}"),
    ("check --config latin.toml", "config: latin.toml is not UTF-8 text"),
    ("check --config named.toml --upstream http://a", NAMED),
    ("check --config odd.toml", f"{DURATION}, in quotes (in odd.toml)"),
    ("RESTANTE_CONFIG=odd.toml check", f"{DURATION}, in quotes (in odd.toml)"),
    ("check --config ca.toml", f"upstream.ca_file: the file {NO_FILE} (in ca.toml)"),
    ("check --config cert.toml", f"upstreams.bank.client_cert: {PEM} (in cert.toml)"),
    (
        "serve --listen 0.0.0.0:80 --upstream http://a",
        f"listen: 0.0.0.0:80 can be reached by others and auth.mode is open; {OPEN} (from --listen)",
    ),
    ("demo --listen nowhere", "listen: expected HOST:PORT, such as 127.0.0.1:8600 or [::1]:8600"),
    ("demo --store postgresql://u:hunter2@h", f"store: {STORE}"),
]


@pytest.mark.parametrize(("typed", "line"), REFUSALS, ids=[typed for typed, _ in REFUSALS])
def test_what_is_wrong_is_one_line_and_exit_code_2(command: Command, typed: str, line: str) -> None:
    command.file("listen 1", "broken.toml")
    (command.folder / "latin.toml").write_bytes(b"listen = '\xe9'")
    command.file(f'[upstreams.a]\nurl = "{UPSTREAM}"\n', "named.toml")
    command.file(f'retention = 3\n[upstream]\nurl = "{UPSTREAM}"\n', "odd.toml")
    command.file('[upstream]\nurl = "https://a"\nca_file = "none.pem"\n', "ca.toml")
    command.file('[upstreams.bank]\nurl = "https://a"\nclient_cert = "odd.toml"\n', "cert.toml")
    words = typed.split()
    variables = dict(word.split("=") for word in words if word.startswith("RESTANTE_"))
    ended = command(*words[len(variables) :], **variables)
    assert ended.code == 2
    assert ended.errors == f"restante: {line}\n"
    assert ended.printed == ""


@pytest.mark.parametrize(
    "typed", ["check --colour", "check more", "check --listen", "polish", "demo --traffic=1"]
)
def test_what_is_mistyped_is_one_line_and_exit_code_2(command: Command, typed: str) -> None:
    ended = command(*typed.split())
    assert (ended.code, ended.printed) == (2, "")
    assert ended.errors.startswith("restante: ")
    assert ended.errors.count("\n") == 1


def test_variables_of_others_with_our_prefix_are_left_alone(command: Command) -> None:
    others = {"RESTANTE_PORT": "tcp://10.0.0.1:8600", "RESTANTE_SERVICE_HOST": "10.0.0.1"}
    assert command("check", "--upstream", UPSTREAM, **others).code == 0


def test_an_empty_variable_is_as_if_it_was_not_set(command: Command) -> None:
    assert command("check", "--upstream", UPSTREAM, RESTANTE_STORE="", RESTANTE_CONFIG="").code == 0


@pytest.mark.parametrize("end", [KeyboardInterrupt, click.Abort])
def test_control_c_is_130(
    command: Command, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    def interrupted(**_: object) -> None:
        raise end

    monkeypatch.setattr(check, "callback", interrupted)
    ended = command("check")
    assert (ended.code, ended.errors.strip()) == (130, "")


def test_trouble_with_the_machine_is_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "cwd", gone)
    ended = command("check", "--upstream", UPSTREAM)
    assert (ended.code, ended.errors) == (1, "restante: No such file or directory\n")


def test_help_is_there_for_every_command(command: Command) -> None:
    for name in ("", *entry.restante.commands):
        ended = command(*([name] if name else []), "--help")
        assert ended.code == 0
        assert ended.printed.startswith(f"Usage: restante {name}".rstrip())


def test_a_reader_who_has_gone_gets_no_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = forked.run(
        [*RESTANTE, "check", "--json", "--upstream", UPSTREAM],
        stdout=writing,
        cwd=tmp_path,
        env=environment(),
        timeout=PATIENCE_SECONDS,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_without_a_command_there_is_the_help(command: Command) -> None:
    for words in ((), ("keys",)):
        ended = command(*words)
        assert (ended.code, ended.printed) == (2, "")
        assert len(ended.errors.splitlines()) > 5 and ended.errors.startswith("Usage: restante")


def test_a_closed_output_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python has no `sys.stdout` then."""
    for words in ("list", "check", "result x"):
        monkeypatch.setattr("sys.argv", ["restante", *words.split()])
        with monkeypatch.context() as closed, pytest.raises(SystemExit) as told:
            closed.setattr("sys.stdout", None)
            entry.main()
        ended = Ended(told.value.code, *capsys.readouterr())
        assert (ended.code, ended.printed) == (1, "")
        assert ended.errors.startswith("restante: standard output is closed")
        assert ended.errors.count("\n") == 1


def test_of_several_statuses_none_is_left_out_in_silence(command: Command) -> None:
    ended = command("list", "--status", "failed", "--status", "pending")
    assert (ended.code, "--status" in ended.errors, "once" in ended.errors) == (2, True, True)
