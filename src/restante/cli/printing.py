"""What the commands print: JSON for machines, lines and tables for people.

Colours are for terminals only. Text that callers and upstreams wrote is printed without control characters,
so that nobody's tracking id moves the cursor. rich renders what is more than a line of text; it is imported
where something is printed for people, and all it makes goes out by `say`.
"""

import os
import shutil
import sys
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

import click
import msgspec

from .masks import for_eyes, on_a_terminal, text_for_eyes

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

Document = dict[str, Any]

COLOURS = {
    "pending": "cyan",
    "processing": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
}

UNBOUNDED = 1_000_000
"""Columns where there is no terminal: nothing is cut or broken there."""


def console(stream: TextIO, file: TextIO | None = None) -> "Console":
    """What renders as `stream` is to have it, into `file` or itself."""
    from rich.console import Console

    terminal = stream.isatty()
    return Console(
        file=file or stream,
        force_terminal=terminal,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        width=shutil.get_terminal_size().columns if terminal else UNBOUNDED,
        highlight=False,
        markup=False,
        emoji=False,
    )


def columns() -> int | None:
    """How wide the terminal is; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(what: "RenderableType", *, err: bool = False) -> None:
    """Prints text or a table, with its colours on a terminal."""
    click.echo(what if isinstance(what, str) else _rendered(what, sys.stderr if err else sys.stdout), err=err)


def _rendered(what: "RenderableType", stream: TextIO) -> str:
    """It as lines. Text is not broken: a terminal does that itself, so that it can be copied whole."""
    from rich.text import Text

    lines = StringIO()
    console(stream, lines).print(what, soft_wrap=isinstance(what, Text))
    return "\n".join(line.rstrip() for line in lines.getvalue().splitlines())


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="For machines.")(command)


def say_json(document: object, *, line: bool = False) -> None:
    """A document for people who look at machines' things; as a `line`, for one after the other."""
    encoded = msgspec.json.encode(on_a_terminal(document))
    say((encoded if line else msgspec.json.format(encoded)).decode())


def plain(value: object) -> str:
    """Text for people, without card numbers and control characters; nothing is a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, str):
        return printable(text_for_eyes(value))
    return printable(msgspec.json.encode(for_eyes(value)).decode())


def printable(text: str) -> str:
    """`text` without control characters: what is not to be masked, or was."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def styled(text: str, style: str) -> "Text":
    from rich.text import Text

    return Text(text, style=style)


def coloured(status: str, width: int = 0) -> "Text":
    return styled(plain(status).ljust(width), COLOURS.get(status, ""))


def row(*cells: "str | Text") -> "Text":
    """A line, its cells two spaces apart."""
    from rich.text import Text

    return Text("  ").join(one if isinstance(one, Text) else Text(one) for one in cells)


def moment(text: Any, length: int) -> str:
    """A moment as the server says it; on a terminal only so much of it, in UTC all the same."""
    if columns() is None or not isinstance(text, str) or not text.endswith("Z"):
        return plain(text)
    return plain(text[:length].replace("T", " ") + "Z")
