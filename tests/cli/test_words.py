"""The commands as one: the same words everywhere, JSON everywhere, and nothing imported to say so."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from restante.cli.entry import COMMANDS, command, restante
from restante.cli.progress import progress_of

from .process import RESTANTE, environment, run


def every(group: click.Group, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All that can be run, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if not isinstance(found, click.Group) or found.invoke_without_command:
            yield (*before, name), found
        if isinstance(found, click.Group):
            yield from every(found, *before, name)


EVERY = list(every(restante))


def test_every_command_speaks_json() -> None:
    without = [words for words, one in EVERY if not any("--json" in p.opts for p in one.params)]
    assert without == [("completion",)]  # which is for a shell


def test_a_flag_takes_the_same_everywhere() -> None:
    taken: dict[str, set[str | None]] = {}
    for _, one in EVERY:
        for parameter in one.params:
            if isinstance(parameter, click.Option):
                taken.setdefault(parameter.opts[0], set()).add(parameter.metavar)
    several = {flag: names for flag, names in taken.items() if len(names) > 1}
    assert several == {"--from": {"MOMENT", "URL"}}  # migrate moves a store from there


def test_every_flag_and_command_is_explained() -> None:
    for words, one in EVERY:
        assert one.help, words
        for parameter in one.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (words, parameter.opts)
                assert parameter.help.endswith("."), (words, parameter.opts)


def test_help_lists_the_commands_and_imports_none() -> None:
    assert all(command(name) is not None for name in COMMANDS)
    code = (
        "import sys\nfrom restante.cli.entry import restante\n"
        "try:\n    restante.main(['--help'], prog_name='restante')\n"
        "except SystemExit:\n    pass\n"
        "heavy = ('rich', 'h11', 'msgspec', 'asyncio', 'restante.core', 'restante.config')\n"
        "print(sorted(name for name in sys.modules if name in heavy or name.startswith('restante.cli.')))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    *said, imported = ended.stdout.splitlines()
    assert [line.split()[0] for line in said[said.index("Commands:") + 1 :]] == list(COMMANDS)
    assert imported == "['restante.cli.entry']"


@pytest.mark.parametrize(
    ("words", "begun", "found"),
    [
        ([], "li", ["list", "listen"]),
        (["list", "--status"], "c", ["completed", "cancelled"]),
        (["list", "--operation"], "", ["create", "update", "delete", "read"]),
        (["deliveries", "list", "--state"], "d", ["delivered", "dead"]),
        (["keys", "create"], "--te", ["--tenant"]),
        (["completion"], "", ["bash", "zsh", "fish"]),
    ],
)
def test_a_shell_completes_commands_flags_and_values(words: list[str], begun: str, found: list[str]) -> None:
    completing = ShellComplete(restante, {}, "restante", "_RESTANTE_COMPLETE")
    assert [one.value for one in completing.get_completions(words, begun)] == found


def test_a_shell_is_told_how(tmp_path: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        ended = run("completion", shell, folder=tmp_path)
        assert (ended.returncode, "_RESTANTE_COMPLETE" in ended.stdout) == (0, True)
    asked = subprocess.run(
        RESTANTE,
        env=environment(_RESTANTE_COMPLETE="bash_complete", COMP_WORDS="restante ev", COMP_CWORD="1"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert asked.stdout == "plain,events\n"


@pytest.mark.parametrize(
    ("data", "come"),
    [
        ({"done": 3, "total": 10}, (3, 10)),
        ({"percent": 12.5}, (12.5, 100)),
        ({"done": 12, "total": 10}, (10, 10)),
        ({"done": -1, "total": 10}, (0, 10)),
        ({"done": True, "total": 10}, None),
        ({"done": 1, "total": 0}, None),
        ({"done": "1", "total": 10}, None),
        ({"percent": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_progress_is_what_the_data_of_an_event_says(data: object, come: object) -> None:
    assert progress_of({"data": data}) == come


def test_a_server_says_its_address_as_json(tmp_path: Path) -> None:
    from .process import Running

    words = ("serve", "--json", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9")
    with Running(*RESTANTE, *words, folder=tmp_path) as server:
        document = json.loads(server.printed_until("}"))
    assert document["listens"][0].startswith("http://127.0.0.1:")
    assert document["role"] == "all"
