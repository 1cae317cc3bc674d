"""`restante watch`: a transaction's events as they happen, until it ends."""

from collections.abc import Callable

import click

from ..client.client import Handle
from .masks import raw_option
from .printing import Document, json_option, plain, say_json
from .progress import Bar, progress_of
from .remote import ENDED, Server, explaining, id_argument, server_option
from .tables import event_line


@click.command()
@id_argument
@server_option
@json_option
@raw_option
def watch(id: str, server: Server, as_json: bool) -> int:
    """Prints the events of ID, those there are and those to come, until the last one. The exit code says how
    it ended: 0 completed, 3 failed, 4 cancelled. On a terminal a bar shows how far the work has come, where
    it says so. With --json each event is one line."""

    with Bar(err=False) as bar:

        def tell(event: Document) -> None:
            if as_json:
                say_json(event, line=True)
            else:
                bar.say(event_line(event))
                _move(bar, event)

        return ENDED[follow(server, id, tell)]


def wait(server: Server, id: str) -> str:
    """Until it has ended, with no more than a bar; the status."""
    with Bar() as bar:
        return follow(server, id, lambda event: _move(bar, event))


def _move(bar: Bar, event: Document) -> None:
    come = progress_of(event)
    if come is not None:
        bar.move(*come, plain(event["message"]))


def follow(server: Server, id: str, tell: Callable[[Document], None]) -> str:
    """Tells each event once, in order; the status it all ended with."""
    status = ""
    with explaining(server, id):
        for event in Handle(server.client, id).events():
            server.patient()
            tell(event)
            status = event["status"]
    return status
