"""`restante watch`: a transaction's events as they happen, until it ends."""

from collections.abc import Callable

import click

from ..client.client import Handle
from .masks import raw_option
from .printing import Document, event_line, say, say_json
from .remote import ENDED, Server, explaining, id_argument, json_option, server_option


@click.command(short_help="Follow a transaction until it ends.")
@id_argument
@server_option
@json_option
@raw_option
def watch(id: str, server: Server, as_json: bool) -> int:
    """Prints the events of ID, those there are and those to come, until the last one. The exit code says how
    it ended: 0 completed, 3 failed, 4 cancelled. With --json each event is one line."""

    def tell(event: Document) -> None:
        if as_json:
            say_json(event, line=True)
        else:
            say(event_line(event))

    return ENDED[follow(server, id, tell)]


def follow(server: Server, id: str, tell: Callable[[Document], None]) -> str:
    """Tells each event once, in order; the status it all ended with."""
    status = ""
    with explaining(server, id):
        for event in Handle(server.client, id).events():
            server.patient()
            tell(event)
            status = event["status"]
    return status
