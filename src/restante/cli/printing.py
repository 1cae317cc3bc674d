"""What the commands that talk to a server print: JSON for machines, blocks and tables for people.

Colours are for terminals only. Text that callers and upstreams wrote is printed without control characters,
so that nobody's tracking id moves the cursor.
"""

import os
from typing import Any

import click
import msgspec

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
    "deadline",
    "expires_at",
)
"""What `show` says of a transaction, beside what it composes."""


def say(text: str, *, err: bool = False) -> None:
    """A line; its colours reach terminals only, and none that `NO_COLOR` is set on."""
    click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)


def say_json(document: object, *, line: bool = False) -> None:
    """A document for people who look at machines' things; as a `line`, for one after the other."""
    encoded = msgspec.json.encode(document)
    say((encoded if line else msgspec.json.format(encoded)).decode())


def plain(value: object) -> str:
    """Text without control characters; nothing is a dash."""
    if value is None or value == "":
        return "-"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
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
    """An event as a row of a table: number, moment, kind, status, message, data."""
    data = event.get("data")
    more = "  " + click.style(plain(data), dim=True) if data else ""
    return (
        f"  {event['sequence']:>3}  {plain(event['created_at'])}  {plain(event['event']):<10}  "
        f"{coloured(event['status'], 10)}  {plain(event['message'])}{more}"
    )


class Table:
    """Transactions as rows; pages come one after the other, so the first says how wide the columns are."""

    NAMES = ("id", "created_at", "status", "operation", "tracking_id", "trigger_endpoint")

    def __init__(self) -> None:
        self._widths: list[int] = []

    def add(self, transactions: list[Document]) -> None:
        rows = [[plain(one.get(name)) for name in self.NAMES] for one in transactions]
        if not self._widths:
            heads = [name.replace("_", " ").upper() for name in self.NAMES]
            self._widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
            say(click.style(self._line(heads), bold=True))
        for row in rows:
            say(self._line(row, status=row[2]))

    def _line(self, cells: list[str], *, status: str = "") -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True)]
        if status:
            padded[2] = coloured(status, self._widths[2])
        return "  ".join(padded).rstrip()


def _result(result: Document) -> str:
    kept = "kept" if result.get("kept") else "no longer kept"
    return f"{result.get('status')}, {kept}{', read' if result.get('read') else ''}"
