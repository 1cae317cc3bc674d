"""Transactions, their events and other documents as people read them: blocks, rows, tables.

On a terminal as much as fits; elsewhere all columns, and whole values.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .printing import Document, coloured, columns, moment, plain, row, say, say_json, styled

if TYPE_CHECKING:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from .remote import Pages

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

TRANSACTIONS = (
    ("id", "created_at", "status", "operation", "tracking_id", "trigger_endpoint"),
    ("id", "created_at", "status", "tracking_id", "trigger_endpoint"),
    ("id", "created_at", "status", "trigger_endpoint"),
    ("id", "age", "status", "trigger_endpoint"),
)
"""What a list of them shows, and with less and less room."""

MOMENTS = frozenset({"created_at", "expires_at", "revoked_at"})

INDENT = 7
"""Of event data that goes below its event."""

WHOLE = frozenset({"id", "transaction"})
"""Columns that are not broken: they are there to be copied."""


def block(transaction: Document) -> None:
    """Prints a transaction with its events."""
    query = f"?{transaction['query']}" if transaction.get("query") else ""
    lines: Document = {"request": f"{transaction['method']} {transaction['path']}{query}"}
    lines |= {name: transaction[name] for name in SHOWN if transaction.get(name) is not None}
    if transaction.get("result"):
        lines["result"] = _result(transaction["result"])
    say(row(styled(plain(transaction["id"]), "bold"), plain(transaction["code"])))
    say(pairs(lines))
    say("")
    for event in transaction.get("events", []):
        say(event_line(event))


def event_line(event: Document) -> "Text":
    """An event: number, moment, kind, status, message, data. On a terminal, data that does not fit goes
    below, in as many lines as it needs."""
    from rich.text import Text

    line = row(
        f"  {event['sequence']:>3}",
        moment(event["created_at"], 23),
        f"{plain(event['event']):<10}",
        coloured(event["status"], 10),
        plain(event["message"]),
    )
    if not event.get("data"):
        return line
    data, wide = plain(event["data"]), columns()
    if wide is None or line.cell_len + 2 + len(data) <= wide:
        return row(line, styled(data, "dim"))
    room = max(wide - INDENT, 20)
    below = [styled(data[place : place + room], "dim") for place in range(0, len(data), room)]
    return Text("\n" + " " * INDENT).join([line, *below])


def feed_line(event: Document) -> "Text":
    """An entry of the feed: moment, kind, transaction, number, message."""
    data = event.get("data") or {}
    kind = plain(event.get("type")).removeprefix("transaction.")
    number = f"{plain(data.get('sequence')):>3}"
    when = moment(event.get("timestamp"), 23)
    return row(when, coloured(kind, 10), plain(data.get("id")), number, plain(data.get("message")))


def grid(documents: list[Document], names: tuple[str, ...]) -> "Table":
    """Documents of any kind as rows under their names."""
    table = _table()
    for name in names:
        table.add_column(_head(name), no_wrap=name in WHOLE, overflow="fold")
    for one in documents:
        table.add_row(*(_shown(one.get(name)) for name in names))
    return table


def pairs(document: Document) -> "Padding":
    """One document, a line for each name."""
    from rich.padding import Padding

    table = _table(head=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in document.items():
        table.add_row(_head(name).lower(), coloured(value) if name == "status" else _shown(value))
    return Padding(table, (0, 0, 0, 2))


class Listing:
    """Documents as rows; pages come one after the other, and the first says which columns there are."""

    def __init__(self, *layouts: tuple[str, ...]) -> None:
        """`layouts` are columns, the most first; the last of each may be cut on a terminal."""
        self._layouts = layouts
        self._widths: dict[str, int] = {}

    def add(self, rows: list[Document]) -> None:
        head = not self._widths
        if not rows and not head:
            return
        if head:
            self._widths = self._fitting(rows)
        table = _table(head=head)
        for name, width in self._widths.items():
            most = None if columns() is None else width
            table.add_column(_head(name), min_width=width, max_width=most, no_wrap=True, overflow="ellipsis")
        for one in rows:
            cells = {name: _cell(one, name) for name in self._widths}
            table.add_row(
                *(coloured(cell) if name in ("status", "state") else cell for name, cell in cells.items())
            )
        say(table)

    def _fitting(self, rows: list[Document]) -> dict[str, int]:
        """The most columns that the terminal has room for; the last of them takes what is left."""
        from rich.cells import cell_len

        wide = columns()
        widths: dict[str, int] = {}
        for layout in self._layouts:
            cells = {name: [_head(name), *(_cell(one, name) for one in rows)] for name in layout}
            widths = {name: max(map(cell_len, column)) for name, column in cells.items()}
            over = 0 if wide is None else sum(widths.values()) + 2 * (len(widths) - 1) - wide
            if over <= 0:
                return widths
        last = list(widths)[-1]
        widths[last] = max(widths[last] - over, len(_head(last)))
        return widths


def show_pages(pages: "Pages", listing: Listing, *, as_json: bool) -> None:
    """Prints a list, each row a line of JSON or of a table; on standard error, whether there is more."""
    count = 0
    for page, more in pages:
        count += len(page)
        if as_json:
            for one in page:
                say_json(one, line=True)
        else:
            listing.add(page)
            if more:
                say(f"restante: there are more than {count}; see --limit and --all", err=True)


def _table(*, head: bool = True) -> "Table":
    """Columns two spaces apart, and no lines."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=head, header_style="bold")


def _head(name: str) -> str:
    return name.replace("_", " ").upper()


def _cell(row: Document, name: str) -> str:
    if name == "age":
        return _age(row["created_at"])
    value = row.get(name)
    return moment(value, 19) if name in MOMENTS else _shown(value)


def _shown(value: object) -> str:
    """Words in a list are read more easily without what JSON puts around them."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return plain(",".join(value))
    return plain(value)


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
