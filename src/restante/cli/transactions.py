"""`restante show`, `list`, `cancel`, `retry`, `resolve`: what there is, and what is done to it by hand."""

import getpass
from typing import Any

import click

from .masks import raw_option
from .printing import Document, coloured, json_option, plain, say, say_json, styled
from .remote import (
    OPERATIONS,
    STATUSES,
    Server,
    ask_about,
    id_argument,
    limit_options,
    pages,
    server_option,
    tenant_option,
    words,
)
from .tables import TRANSACTIONS, Listing, block, show_pages


def _once(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> str | None:
    """Not the last of several: what is left out of a list is not missed."""
    if len(given) > 1:
        raise click.BadParameter("is given once: ask for one status after the other")
    return given[0] if given else None


@click.command()
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
        block(document)


@click.command("list")
@click.option(
    "--status",
    metavar="STATUS",
    multiple=True,
    callback=_once,
    shell_complete=words(*STATUSES),
    help="pending, processing, completed, failed or cancelled.",
)
@click.option(
    "--operation",
    metavar="OPERATION",
    shell_complete=words(*OPERATIONS),
    help="create, update, delete or read.",
)
@click.option("--trigger-endpoint", metavar="PATH", help="The path that started it.")
@click.option("--tracking-id", metavar="TEXT", help="The caller's own id.")
@click.option(
    "--from", "created_from", metavar="MOMENT", help="Created then or later: an ISO 8601 date or time."
)
@click.option(
    "--to", "created_to", metavar="MOMENT", help="Created then or earlier; a date is its whole day."
)
@tenant_option
@limit_options
@server_option
@json_option
@raw_option
def list_all(most: int | None, server: Server, as_json: bool, **filters: Any) -> None:
    """Prints transactions, the newest first, that all the given filters fit. With --json each is one line."""

    def ask(query: str) -> Document:
        return server.ask("GET", f"transactions{query}", needs=("transactions", "next"))

    show_pages(pages(ask, "transactions", filters, most), Listing(*TRANSACTIONS), as_json=as_json)


@click.command()
@id_argument
@server_option
@json_option
def cancel(id: str, server: Server, as_json: bool) -> None:
    """Cancels ID if it is not too late: before it is sent, or between two attempts. Again is no error."""
    _tell(ask_about(server, "POST", id, "cancel", needs=("id", "status")), as_json=as_json)


@click.command()
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


@click.command()
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
        say(styled(plain(document["id"]), "").append(" ").append(coloured(document["status"])))


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise click.UsageError("who you are cannot be told; say --by NAME") from None
