"""What the pages on operating show is understood by the command, and by systemd."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from restante.cli.entry import restante

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/operate").glob("*.md"))
SHOWN = re.compile(r"^(?:    |ExecStart=\S*/)(restante .+)$", re.MULTILINE)
QUOTED = re.compile(r"`(restante [a-z][^`]*)`")
UNIT = re.compile(r"```ini\n(.*?)```", re.DOTALL)
CONTAINER = re.compile(r"^ *args: \[(.*)\]$", re.MULTILINE)


def understood(command: str) -> None:
    """Its flags and arguments are some that there are; nothing is run."""
    name, *words = shlex.split(command)[1:]
    found = restante.get_command(click.Context(restante), name)
    assert found is not None, command
    found.make_parser(click.Context(found, info_name=name)).parse_args(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_that_are_shown_exist(page: Path) -> None:
    text = page.read_text()
    for command in SHOWN.findall(text) + QUOTED.findall(text):
        understood(command)
    for arguments in CONTAINER.findall(text):
        understood("restante " + arguments.replace(",", " "))


def test_the_units_settings_are_systemds(tmp_path: Path) -> None:
    (text,) = UNIT.findall((ROOT / "docs/operate/several-machines.md").read_text())
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    service = unit["Service"]
    assert (service["Type"], service["ExecReload"]) == ("notify", "/bin/kill -HUP $MAINPID")
    assert int(service["TimeoutStopSec"]) > 30  # the default of `grace`
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("there is no systemd here")
    file = tmp_path / "restante.service"
    file.write_text(text.replace("/opt/restante/bin/restante", sys.executable))
    done = subprocess.run([verifier, "verify", str(file)], capture_output=True, text=True, check=False)
    assert "restante.service" not in done.stderr, done.stderr
