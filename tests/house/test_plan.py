"""The plan of the house holds: rooms, heads, names, sizes."""

import ast
import re
from pathlib import Path

import pytest

from .plan import FLOORS, PACKAGE, dotted, modules, room_of, trespasses

LONGEST_FILE = 400
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "tools"}
VENDORS = re.compile(r"begateway|bepaid|ecomcharge|hexopay|overpay|pay-cross", re.IGNORECASE)
"""Names of third parties stay out of the product's code."""

ROOT = PACKAGE.parents[1]
PATHS = re.compile(r"/work/|/root/|/home/\w|--index-url|--extra-index|pypi\.|files\.pythonhosted")
"""What names a machine or a registry has no place in the repository."""

WRITTEN = ("*.py", "*.md", "*.toml", "*.txt", "*.sql", "Makefile", ".ci/*", ".gitignore")


def test_a_room_sees_only_what_its_line_names() -> None:
    found = {
        dotted(path): trespasses(path.read_text(), dotted(path), is_package=path.name == "__init__.py")
        for path in modules()
    }
    assert not {name: seen for name, seen in found.items() if seen}, "these must not be imported there"


def test_every_room_is_on_the_plan() -> None:
    assert not {room_of(dotted(path)) for path in modules()} - set(FLOORS)


def test_no_ring_of_rooms_can_be_written() -> None:
    left = dict(FLOORS)
    while left:
        lowest = [room for room, seen in left.items() if not seen & left.keys()]
        assert lowest, f"a ring among {', '.join(left)}"
        for room in lowest:
            del left[room]


def test_every_file_begins_with_what_it_is_for() -> None:
    assert not [dotted(path) for path in modules() if not ast.get_docstring(ast.parse(path.read_text()))]


def test_files_are_short_and_named_with_nouns_of_the_field() -> None:
    for path in modules():
        lines = path.read_text().count("\n")
        assert lines <= LONGEST_FILE, f"{dotted(path)} has {lines} lines"
        assert path.stem not in NO_NAMES, path
        assert path.parent.name not in NO_NAMES, path


def test_no_third_party_is_named() -> None:
    assert not [dotted(path) for path in modules() if VENDORS.search(path.read_text())]


def test_nothing_names_a_machine_or_a_registry() -> None:
    here = Path(__file__)
    for pattern in WRITTEN:
        for path in ROOT.rglob(pattern):
            parts = path.relative_to(ROOT).parts
            if path == here or (parts[0].startswith(".") and parts[0] not in (".ci", ".gitignore")):
                continue
            found = PATHS.search(path.read_text())
            assert not found, f"{path.relative_to(ROOT)} says {found}"


@pytest.mark.parametrize(
    ("source", "module", "is_package", "found"),
    [
        ("from ..core.status import Status", "restante.service.service", False, []),
        ("from ..config import Settings", "restante.core.policy", False, ["restante.config.Settings"]),
        ("from . import stores", "restante", True, ["restante.stores"]),
        ("from .stores import sqlite", "restante.ports", False, ["restante.stores.sqlite"]),
        ("import restante.gateway", "restante.runner.lane", False, ["restante.gateway"]),
        ("from .. import __version__", "restante.cli.entry", False, []),
        ("from ... import runner", "restante.stores.sqlite.rows", False, ["restante.runner"]),
        (
            "def f():\n    from ..gateway import app",
            "restante.dialects.task",
            False,
            ["restante.gateway.app"],
        ),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..runner import Runner",
            "restante.service.service",
            False,
            ["restante.runner.Runner"],
        ),
        (
            "import importlib\nimportlib.import_module('restante.stores')",
            "restante.core.model",
            False,
            ["restante.stores"],
        ),
        ("from ..core import errors", "restante.demo.web", False, ["restante.core.errors"]),
    ],
)
def test_hidden_imports_are_seen(source: str, module: str, is_package: bool, found: list[str]) -> None:
    assert trespasses(source, module, is_package=is_package) == found
