"""`restante deliveries`: what was sent to an endpoint, what came back, and sending it again."""

from typing import Any
from urllib.parse import quote, urlencode

import click

from .endpoints import ask, endpoint_path
from .printing import Document, grid, pairs, plain, say, say_json
from .remote import Server, id_argument, json_option, server_option

HEADS = ("id", "created_at", "state", "attempts", "code", "transaction", "sequence")
LOG = ("number", "at", "duration_ms", "outcome", "code", "reason", "answer")
DEFAULT_LIMIT = 50


@click.group(short_help="What was sent, and sending it again.")
def deliveries() -> None:
    """Deliveries: what was sent to an endpoint, what came back, and sending it again."""


@deliveries.command("list", short_help="List an endpoint's deliveries.")
@click.argument("endpoint")
@click.option("--state", metavar="STATE", help="waiting, sending, delivered or dead.")
@click.option("--from", "created_from", metavar="MOMENT", help="Written then or later.")
@click.option("--to", "created_to", metavar="MOMENT", help="Written then or earlier.")
@click.option(
    "--limit", type=click.IntRange(1, 100), default=DEFAULT_LIMIT, metavar="NUMBER", help="Default: 50."
)
@click.option("--after", metavar="ID", help="Behind this one.")
@server_option
@json_option
def list_deliveries(endpoint: str, server: Server, as_json: bool, **filters: Any) -> None:
    """Prints deliveries to ENDPOINT, the newest first. With --json each is one line."""
    query = urlencode({name: value for name, value in filters.items() if value})
    document = ask(
        server, "GET", f"{endpoint_path(endpoint, 'deliveries')}?{query}", needs=("deliveries", "next")
    )
    if as_json:
        for one in document["deliveries"]:
            say_json(one, line=True)
        return
    say(grid(document["deliveries"], HEADS))
    if document["next"]:
        say(f"restante: there are more; --after {plain(document['next'])}", err=True)


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
        say("\n" + grid(log, LOG))


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
