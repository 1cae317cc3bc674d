"""What the commands that talk to a server print: JSON for machines, blocks and tables for people.

Colours are for terminals only. Text that callers and upstreams wrote is printed without control characters,
so that nobody's tracking id moves the cursor.
"""

import os
import shutil
import sys
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from .masks import for_eyes, on_a_terminal, text_for_eyes

COLOURS = {
    "pending": "cyan",
    "processing": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
}

Document = dict[str, Any]

SHOWN = (
    "status",
    "outcome",
    "operation",
    "tracking_id",
    "retry_of",
    "tenant",
    "dialect",
    "upstream",
    "priority",
    "attempt",
    "created_at",
    "updated_at",
    "due_at",
    "waiting",
    "deadline",
    "expires_at",
)
"""What `show` says of a transaction, beside what it composes."""


INDENT = " " * 7


def columns() -> int | None:
    """How wide the terminal is; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(text: str, *, err: bool = False) -> None:
    """A line; its colours reach terminals only, and none that `NO_COLOR` is set on."""
    click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)


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


def coloured(status: str, width: int = 0) -> str:
    return click.style(plain(status).ljust(width), fg=COLOURS.get(status))


def block(transaction: Document) -> str:
    """A transaction with its events."""
    query = f"?{transaction['query']}" if transaction.get("query") else ""
    lines = [("request", f"{transaction['method']} {transaction['path']}{query}")]
    for name in SHOWN:
        value = transaction.get(name)
        if value is not None:
            lines.append((name.replace("_", " "), plain(value)))
    if transaction.get("result"):
        lines.append(("result", _result(transaction["result"])))
    width = max(len(name) for name, _ in lines)
    title = click.style(f"{plain(transaction['id'])}", bold=True)
    text = [f"{title}  {plain(transaction['code'])}"]
    for name, value in lines:
        shown = coloured(value) if name == "status" else plain(value)
        text.append(f"  {name:<{width}}  {shown}")
    return "\n".join([*text, "", *map(event_line, transaction.get("events", []))])


def event_line(event: Document) -> str:
    """An event as a row of a table: number, moment, kind, status, message, data. On a terminal, data that
    does not fit goes below, in as many lines as it needs."""
    row = (
        f"  {event['sequence']:>3}  {_moment(event['created_at'], 23)}  {plain(event['event']):<10}  "
        f"{plain(event['status']):<10}  {plain(event['message'])}"
    )
    line = row.replace(f"  {plain(event['status']):<10}", "  " + coloured(event["status"], 10), 1)
    if not event.get("data"):
        return line
    data, wide = plain(event["data"]), columns()
    if wide is None or len(row) + 2 + len(data) <= wide:
        return f"{line}  {click.style(data, dim=True)}"
    room = max(wide - len(INDENT), 20)
    below = (data[place : place + room] for place in range(0, len(data), room))
    return "\n".join([line, *(INDENT + click.style(part, dim=True) for part in below)])


def feed_line(event: Document) -> str:
    """An entry of the feed: moment, kind, transaction, number, message."""
    data = event.get("data") or {}
    kind = plain(event.get("type")).removeprefix("transaction.")
    return (
        f"{_moment(event.get('timestamp'), 23)}  {coloured(kind, 10)}  {plain(data.get('id'))}  "
        f"{plain(data.get('sequence')):>3}  {plain(data.get('message'))}"
    )


def grid(documents: list[Document], names: tuple[str, ...]) -> str:
    """Documents of any kind as rows under their names."""
    rows = [{name: plain(one.get(name)) for name in names} for one in documents]
    widths = {name: max([len(name), *(len(row[name]) for row in rows)]) for name in names}
    head = "  ".join(_head(name).ljust(width) for name, width in widths.items()).rstrip()
    lines = ["  ".join(row[name].ljust(width) for name, width in widths.items()).rstrip() for row in rows]
    return "\n".join([click.style(head, bold=True), *lines])


def pairs(document: Document) -> str:
    """One document, a line for each name."""
    width = max(map(len, document), default=0)
    return "\n".join(f"  {_head(name).lower():<{width}}  {plain(value)}" for name, value in document.items())


class Table:
    """Transactions as rows; pages come one after the other, so the first says how wide the columns are.

    In a pipe they have all columns and whole values. On a terminal as many columns as fit.
    """

    LAYOUTS = (
        ("id", "created_at", "status", "operation", "tracking_id", "trigger_endpoint"),
        ("id", "created_at", "status", "tracking_id", "trigger_endpoint"),
        ("id", "created_at", "status", "trigger_endpoint"),
        ("id", "age", "status", "trigger_endpoint"),
    )

    def __init__(self) -> None:
        self._widths: dict[str, int] = {}

    def add(self, transactions: list[Document]) -> None:
        if not self._widths:
            self._widths = self._fitting(transactions)
            heads = {name: _head(name) for name in self._widths}
            say(click.style(self._line(heads), bold=True))
        for one in transactions:
            say(self._line({name: _cell(one, name) for name in self._widths}))

    def _fitting(self, transactions: list[Document]) -> dict[str, int]:
        wide = columns()
        widths: dict[str, int] = {}
        for layout in self.LAYOUTS:
            widths = {
                name: max([len(_head(name)), *(len(_cell(one, name)) for one in transactions)])
                for name in layout
            }
            over = 0 if wide is None else sum(widths.values()) + 2 * (len(widths) - 1) - wide
            if over <= 0:
                return widths
        widths["trigger_endpoint"] = max(widths["trigger_endpoint"] - over, len(_head("trigger_endpoint")))
        return widths

    def _line(self, cells: Document) -> str:
        padded = []
        for name, width in self._widths.items():
            cell = cells[name]
            if name == "status":
                padded.append(coloured(cell, width))
            elif columns() is not None and len(cell) > width:
                padded.append(cell[: width - 1] + "…")
            else:
                padded.append(cell.ljust(width))
        return "  ".join(padded).rstrip()


def _head(name: str) -> str:
    return name.replace("_", " ").upper()


def _cell(transaction: Document, name: str) -> str:
    if name == "age":
        return _age(transaction["created_at"])
    value = transaction.get(name)
    return _moment(value, 19) if name == "created_at" else plain(value)


def _moment(text: Any, length: int) -> str:
    """A moment as the server says it; on a terminal only so much of it, in UTC all the same."""
    if columns() is None or not isinstance(text, str) or not text.endswith("Z"):
        return plain(text)
    return plain(text[:length].replace("T", " ") + "Z")


def _age(text: Any) -> str:
    try:
        seconds = int((datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds())
    except (TypeError, ValueError):
        return plain(text)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def _result(result: Document) -> str:
    kept = "kept" if result.get("kept") else "no longer kept"
    return f"{result.get('status')}, {kept}{', read' if result.get('read') else ''}"
