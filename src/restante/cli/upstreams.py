"""`restante upstreams`: what the upstreams have to do, and which of them are paused."""

from urllib.parse import quote

import click

from .printing import Document, json_option, plain, say, say_json
from .remote import UNKNOWN, Server, Trouble, server_option
from .tables import grid

COMMANDLINE = click.core.ParameterSource.COMMANDLINE
UNKNOWN_UPSTREAM = "unknown-upstream"
HEADS = ("name", "url", "running", "queued", "paused")


@click.group(invoke_without_command=True)
@server_option
@json_option
@click.pass_context
def upstreams(context: click.Context, server: Server, as_json: bool) -> None:
    """Prints each upstream with its URL, how many attempts are running and how many transactions are queued,
    over all processes, and whether it is paused."""
    if context.invoked_subcommand is not None:
        if any(context.get_parameter_source(name) is COMMANDLINE for name in context.params):
            raise click.UsageError(f"flags go behind {context.invoked_subcommand}")
        return
    document = server.ask("GET", "upstreams", needs=("upstreams",))
    if as_json:
        say_json(document)
        return
    say(grid(document["upstreams"], HEADS))


@upstreams.command(short_help="Stop sending to an upstream.")
@click.argument("name")
@server_option
@json_option
def pause(name: str, server: Server, as_json: bool) -> None:
    """Begins nothing more at NAME, in all processes and after restarts, until it is resumed. What is being
    sent is let finish, and everything goes on being accepted. Again is no error."""
    _tell(server, name, "pause", as_json=as_json)


@upstreams.command(short_help="Go on sending to an upstream.")
@click.argument("name")
@server_option
@json_option
def resume(name: str, server: Server, as_json: bool) -> None:
    """Ends the pause of NAME. If there is none, that is no error."""
    _tell(server, name, "resume", as_json=as_json)


def _tell(server: Server, name: str, what: str, *, as_json: bool) -> None:
    asked = f"upstreams/{quote(name, safe='')}/{what}"
    try:
        document: Document = server.ask("POST", asked, needs=("name", "paused"))
    except Trouble as trouble:
        if trouble.problem != UNKNOWN_UPSTREAM:
            raise
        message = f"there is no upstream {plain(name)} on {server.url}; restante upstreams lists them"
        raise Trouble(message, UNKNOWN) from None
    if as_json:
        say_json(document)
    else:
        say(f"{plain(document['name'])} is {'paused' if document['paused'] else 'not paused'}")
