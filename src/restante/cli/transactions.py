"""`restante show`, `list`, `cancel`, `retry`, `resolve`: what there is, and what is done to it by hand."""

import getpass
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import click

from .masks import raw_option
from .printing import Document, Table, block, coloured, plain, say, say_json
from .remote import Server, ask_about, id_argument, json_option, server_option

DEFAULT_LIMIT = 50
PAGE = 100


@click.command(short_help="Show a transaction and its events.")
@id_argument
@server_option
@json_option
@raw_option
def show(id: str, server: Server, as_json: bool) -> None:
    """Prints what is known of ID, and its events, the first one first."""
    document = ask_about(server, "GET", id, needs=("id", "status", "events"))
    if as_json:
        say_json(document)
    else:
        say(block(document))


@click.command("list", short_help="List and search transactions.")
@click.option("--status", metavar="STATUS", help="pending, processing, completed, failed or cancelled.")
@click.option("--operation", metavar="TEXT", help="Such as create.")
@click.option("--trigger-endpoint", metavar="PATH", help="The path that started it.")
@click.option("--tracking-id", metavar="TEXT", help="The caller's own id.")
@click.option(
    "--from", "created_from", metavar="MOMENT", help="Created then or later: an ISO 8601 date or time."
)
@click.option(
    "--to", "created_to", metavar="MOMENT", help="Created then or earlier; a date is its whole day."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="NUMBER", help=f"Default: {DEFAULT_LIMIT}.")
@click.option("--all", "everything", is_flag=True, help="However many there are.")
@server_option
@json_option
@raw_option
def list_all(limit: int | None, everything: bool, server: Server, as_json: bool, **filters: Any) -> None:
    """Prints transactions, the newest first, that all the given filters fit. With --json each is one line."""
    if everything and limit is not None:
        raise click.UsageError("--all and --limit do not go together")
    table = Table()
    most = None if everything else limit or DEFAULT_LIMIT
    given = {name: value for name, value in filters.items() if value}
    for page, more in _pages(server, given, most):
        if as_json:
            for one in page:
                say_json(one, line=True)
        else:
            table.add(page)
            if more:
                say(f"restante: there are more than {most}; see --limit and --all", err=True)


def _pages(server: Server, filters: Document, most: int | None) -> Iterator[tuple[list[Document], bool]]:
    """Pages as they come, never more than `most` rows; whether the last one left some out."""
    left = most
    after: str | None = None
    while True:
        size = PAGE if left is None else min(PAGE, left)
        query = urlencode({**filters, "limit": size, **({"after": after} if after else {})})
        document = server.ask("GET", f"transactions?{query}", needs=("transactions", "next"))
        page, after = document["transactions"], document["next"]
        if left is not None:
            left -= len(page)
        over = left is not None and left <= 0
        yield page, bool(after) and over
        if after is None or over:
            return


@click.command(short_help="Cancel a transaction.")
@id_argument
@server_option
@json_option
def cancel(id: str, server: Server, as_json: bool) -> None:
    """Cancels ID if it is not too late: before it is sent, or between two attempts. Again is no error."""
    _tell(ask_about(server, "POST", id, "cancel", needs=("id", "status")), as_json=as_json)


@click.command(short_help="Run a finished transaction again, as a new one.")
@id_argument
@server_option
@json_option
def retry(id: str, server: Server, as_json: bool) -> None:
    """Submits the request of ID, which is finished, once more, and prints the new transaction's id."""
    document = ask_about(server, "POST", id, "retry", needs=("id",))
    if as_json:
        say_json(document)
    else:
        say(plain(document["id"]))


@click.command(short_help="Settle by hand what has an unknown outcome.")
@id_argument
@click.option("--completed", is_flag=True, help="It was done.")
@click.option("--failed", is_flag=True, help="It was not done.")
@click.option("--reason", required=True, metavar="TEXT", help="How that is known; it becomes an event.")
@click.option("--by", metavar="NAME", help="Who says so. Default: the name you are logged in with.")
@server_option
@json_option
def resolve(
    id: str, completed: bool, failed: bool, reason: str, by: str | None, server: Server, as_json: bool
) -> None:
    """Says how ID really ended, after somebody has looked: --completed or --failed, and why."""
    if completed is failed:
        raise click.UsageError("say --completed or --failed, one of them")
    body = {"status": "completed" if completed else "failed", "reason": reason, "by": by or _me()}
    _tell(ask_about(server, "POST", id, "resolve", body=body, needs=("id", "status")), as_json=as_json)


def _tell(document: Document, *, as_json: bool) -> None:
    if as_json:
        say_json(document)
    else:
        say(f"{plain(document['id'])} {coloured(document['status'])}")


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise click.UsageError("who you are cannot be told; say --by NAME") from None
