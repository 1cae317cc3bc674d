"""`restante endpoints`: where webhooks go, and what they are signed with."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import click

from .printing import Document, json_option, plain, printable, say, say_json
from .remote import (
    OPERATIONS,
    STATUSES,
    UNKNOWN,
    Server,
    Trouble,
    id_argument,
    server_option,
    tenant_option,
    words,
)
from .tables import grid, pairs

COMMANDLINE = click.core.ParameterSource.COMMANDLINE
UNKNOWN_ENDPOINT = "unknown-endpoint"
UNKNOWN_DELIVERY = "unknown-delivery"
HEADS = ("id", "url", "active", "payload", "failing_since", "reason")
CALLBACKS = "callbacks"


def endpoint_path(id: str, *more: str) -> str:
    """The path of an endpoint behind `/-/`."""
    return "/".join(("endpoints", quote(id, safe=""), *more))


def ask(
    server: Server, method: str, path: str, body: object = None, *, needs: tuple[str, ...] = ()
) -> Document:
    """`Server.ask` about an endpoint or a delivery; what is not known is said so that it helps."""
    try:
        return server.ask(method, path, needs=needs, body=body)
    except Trouble as trouble:
        if trouble.problem == UNKNOWN_ENDPOINT:
            message = f"{trouble.message} on {server.url}; restante endpoints lists them"
            raise Trouble(message, UNKNOWN) from None
        if trouble.problem == UNKNOWN_DELIVERY:
            raise Trouble(f"{trouble.message} on {server.url}", UNKNOWN) from None
        raise


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what an endpoint wants to be told of."""
    for option in (
        click.option(
            "--trigger-endpoint",
            multiple=True,
            metavar="PATH",
            help="Only of what began there; a * at the end matches the rest. May be repeated.",
        ),
        click.option(
            "--operation",
            multiple=True,
            metavar="OPERATION",
            shell_complete=words(*OPERATIONS),
            help="Only of such, as create. May be repeated.",
        ),
        click.option(
            "--status",
            multiple=True,
            metavar="STATUS",
            shell_complete=words(*STATUSES, "all"),
            help="Only of such events, or all. Default: the ends. May be repeated.",
        ),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@tenant_option
@server_option
@json_option
@click.pass_context
def endpoints(context: click.Context, tenant: str | None, server: Server, as_json: bool) -> None:
    """Prints your endpoints: where each is, whether it is on, and since when nothing has arrived there."""
    if context.invoked_subcommand is not None:
        if any(context.get_parameter_source(name) is COMMANDLINE for name in context.params):
            raise click.UsageError(f"flags go behind {context.invoked_subcommand}")
        return
    query = f"?{urlencode({'tenant': tenant})}" if tenant else ""
    document = server.ask("GET", f"endpoints{query}", needs=("endpoints",))
    if as_json:
        say_json(document)
    else:
        say(grid(document["endpoints"], HEADS))


@endpoints.command(short_help="Make an endpoint.")
@click.argument("url")
@filter_options
@click.option("--thin", is_flag=True, help="Send ids and the status only.")
@click.option(
    "--signature", metavar="KIND", help="standard (Standard Webhooks) or content (Content-Signature)."
)
@click.option("--username", metavar="TEXT", help="With content: the shop's id.")
@click.option("--password", metavar="TEXT", help="With content: the shop's secret key.")
@server_option
@json_option
def create(url: str, thin: bool, server: Server, as_json: bool, **given: Any) -> None:
    """Has events sent to URL, and prints the endpoint with its secret, which is shown this once."""
    body = {name: given[name] for name in ("signature", "username", "password") if given[name]}
    body |= {"url": url, **_filters(given), **({"payload": "thin"} if thin else {})}
    _shown(ask(server, "POST", "endpoints", body, needs=("id", "url")), as_json=as_json)


@endpoints.command("show", short_help="Show an endpoint.")
@id_argument
@server_option
@json_option
def show_endpoint(id: str, server: Server, as_json: bool) -> None:
    """Prints the endpoint ID. `callbacks` is the one for what single requests name."""
    _shown(ask(server, "GET", endpoint_path(id), needs=("id", "url")), as_json=as_json)


@endpoints.command(short_help="Change an endpoint.")
@id_argument
@click.option("--url", metavar="URL", help="Where it is from now on.")
@filter_options
@click.option("--thin/--full", default=None, help="Send ids and the status only, or everything.")
@click.option("--on/--off", "active", default=None, help="Send there, or do not.")
@server_option
@json_option
def update(
    id: str,
    url: str | None,
    thin: bool | None,
    active: bool | None,
    server: Server,
    as_json: bool,
    **given: Any,
) -> None:
    """Changes what is given of the endpoint ID. Filters are replaced together."""
    body: Document = _filters(given)
    if url is not None:
        body["url"] = url
    if thin is not None:
        body["payload"] = "thin" if thin else "full"
    if active is not None:
        body["active"] = active
    if not body:
        raise click.UsageError("say what is to be changed")
    _shown(ask(server, "PATCH", endpoint_path(id), body, needs=("id", "url")), as_json=as_json)


@endpoints.command(short_help="Give an endpoint a new secret.")
@id_argument
@click.option("--keep", metavar="DURATION", help="How long the old one signs too. Default: 24h.")
@server_option
@json_option
def rotate(id: str, keep: str | None, server: Server, as_json: bool) -> None:
    """Prints a new secret for the endpoint ID; for a while the one before signs as well."""
    body = {"keep": keep} if keep else {}
    _shown(ask(server, "POST", endpoint_path(id, "rotate"), body, needs=("id", "url")), as_json=as_json)


@endpoints.command(short_help="Show the secret of callbacks.")
@server_option
@json_option
def secret(server: Server, as_json: bool) -> None:
    """Prints the secret that is signed with what single requests ask for (Restante-Callback-Url)."""
    document = ask(server, "GET", endpoint_path(CALLBACKS, "secret"), needs=("secret",))
    if as_json:
        say_json(document)
    else:
        say(printable(document["secret"]))


@endpoints.command("test", short_help="Send something to an endpoint.")
@id_argument
@server_option
@json_option
def test_endpoint(id: str, server: Server, as_json: bool) -> None:
    """Sends a test to the endpoint ID now, and prints the delivery's id."""
    document = ask(server, "POST", endpoint_path(id, "test"), needs=("id",))
    if as_json:
        say_json(document)
    else:
        say(plain(document["id"]))


@endpoints.command(short_help="Remove an endpoint.")
@id_argument
@server_option
@json_option
def delete(id: str, server: Server, as_json: bool) -> None:
    """Removes the endpoint ID. What waits for it is not sent any more."""
    ask(server, "DELETE", endpoint_path(id))
    if as_json:
        say_json({"id": id})


def _filters(given: Document) -> Document:
    filters: Document = {
        name: list(given[name]) for name in ("status", "operation", "trigger_endpoint") if given[name]
    }
    if filters.get("status") == ["all"]:
        filters["status"] = "all"
    return {"filters": filters} if filters else {}


def _shown(document: Document, *, as_json: bool) -> None:
    if as_json:
        say_json(document)
    else:
        say(pairs(document))
