"""`restante deliveries`: what was sent to an endpoint, what came back, and sending it again."""

from typing import Any
from urllib.parse import quote

import click

from .endpoints import ask, endpoint_path
from .printing import Document, json_option, plain, say, say_json
from .remote import Server, id_argument, limit_options, pages, server_option, words
from .tables import Listing, grid, pairs, show_pages

LAYOUTS = (
    ("id", "created_at", "state", "attempts", "code", "transaction", "sequence"),
    ("id", "created_at", "state", "attempts", "code"),
    ("id", "age", "state", "code"),
)
LOG = ("number", "at", "duration_ms", "outcome", "code", "reason", "answer")


@click.group()
def deliveries() -> None:
    """Deliveries: what was sent to an endpoint, what came back, and sending it again."""


@deliveries.command("list", short_help="List an endpoint's deliveries.")
@click.argument("endpoint")
@click.option(
    "--state",
    metavar="STATE",
    shell_complete=words("waiting", "sending", "delivered", "dead"),
    help="waiting, sending, delivered or dead.",
)
@click.option("--from", "created_from", metavar="MOMENT", help="Written then or later.")
@click.option("--to", "created_to", metavar="MOMENT", help="Written then or earlier.")
@limit_options
@server_option
@json_option
def list_deliveries(endpoint: str, most: int | None, server: Server, as_json: bool, **filters: Any) -> None:
    """Prints deliveries to ENDPOINT, the newest first. With --json each is one line."""

    def asked(query: str) -> Document:
        path = endpoint_path(endpoint, "deliveries") + query
        return ask(server, "GET", path, needs=("deliveries", "next"))

    show_pages(pages(asked, "deliveries", filters, most), Listing(*LAYOUTS), as_json=as_json)


@deliveries.command("show", short_help="Show a delivery and its attempts.")
@id_argument
@server_option
@json_option
def show_delivery(id: str, server: Server, as_json: bool) -> None:
    """Prints the delivery ID, and of each attempt when it was, how long it took and what came back."""
    document = ask(server, "GET", _path(id), needs=("id", "log"))
    if as_json:
        say_json(document)
        return
    log: list[Document] = document.pop("log")
    say(pairs(document))
    if log:
        say("")
        say(grid(log, LOG))


@deliveries.command(short_help="Send a delivery again.")
@id_argument
@server_option
@json_option
def replay(id: str, server: Server, as_json: bool) -> None:
    """Sends the delivery ID, which is over, once more, under the same id."""
    document = ask(server, "POST", _path(id, "replay"), needs=("id", "state"))
    if as_json:
        say_json(document)
    else:
        say(f"{plain(document['id'])} {plain(document['state'])}")


@deliveries.command("replay-all", short_help="Send an endpoint's deliveries again.")
@click.argument("endpoint")
@click.option("--state", metavar="STATE", help="dead (the default) or delivered.")
@click.option("--from", "created_from", metavar="MOMENT", help="Written then or later.")
@click.option("--to", "created_to", metavar="MOMENT", help="Written then or earlier.")
@server_option
@json_option
def replay_all(endpoint: str, server: Server, as_json: bool, **filters: Any) -> None:
    """Sends all deliveries to ENDPOINT that fit once more, a thousand at most, and prints how many."""
    body = {name: value for name, value in filters.items() if value}
    document = ask(server, "POST", endpoint_path(endpoint, "replay"), body, needs=("replayed", "more"))
    if as_json:
        say_json(document)
        return
    say(str(document["replayed"]))
    if document["more"]:
        say("restante: there may be more; run it again", err=True)


def _path(id: str, *more: str) -> str:
    return "/".join(("deliveries", quote(id, safe=""), *more))
