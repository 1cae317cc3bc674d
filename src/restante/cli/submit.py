"""`restante submit`: a request to be run in the background, as with `/async` before its path."""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from .masks import raw_option
from .printing import json_option, say, say_json
from .remote import MISUSED, Server, Trouble, server_option, troubles
from .result import give
from .watch import wait as wait_for


@click.command()
@click.argument("method")
@click.argument("path")
@click.option("--data", "-d", metavar="TEXT", help="The body: text, @FILE, or - for standard input.")
@click.option("--header", "-H", multiple=True, metavar="'NAME: VALUE'", help="For the upstream. Repeatable.")
@click.option(
    "--idempotency-key", metavar="KEY", help="The same request again with it is the same transaction."
)
@click.option("--delay", metavar="DURATION", help="Not before, such as 10m.")
@click.option("--deadline", metavar="DURATION", help="Ended as failed if not done by then.")
@click.option("--priority", metavar="NUMBER", help="From -100 to 100, higher first.")
@click.option("--tracking-id", metavar="TEXT", help="An id of your own to find it by.")
@click.option("--callback-url", metavar="URL", help="Where a webhook tells of the end.")
@raw_option
@click.option("--wait", is_flag=True, help="Wait for the end and print the answer, as result does.")
@server_option
@json_option
def submit(
    method: str,
    path: str,
    data: str | None,
    header: tuple[str, ...],
    wait: bool,
    server: Server,
    as_json: bool,
    **options: Any,
) -> int:
    """Sends METHOD PATH (with its query) through /async and prints the transaction's id. Data that is JSON is
    sent as such unless a Content-Type is given. With --wait the id goes to standard error, the upstream's
    answer to standard output (with --json: the transaction), and the exit code says how it ended."""
    pairs = [_pair(one) for one in header]
    body = None if data is None else _read(data)
    if body is not None and not any(name.lower() == "content-type" for name, _ in pairs) and _is_json(body):
        pairs.append(("Content-Type", "application/json"))
    try:
        with troubles():
            handle = server.client.submit(method, path, content=body, headers=pairs, **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if handle.replayed:
        say("restante: this key was used before; here is what it began then", err=True)
    if not wait:
        if as_json and handle.accepted is not None:
            say_json(handle.accepted.document())
        else:
            say(handle.id)
        return 0
    say(handle.id, err=True)
    ended = wait_for(server, handle.id)
    return give(server, handle.id, ended, as_json=as_json)


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError(f"{text!r} is not a header such as 'Accept: text/plain'")
    return name, value


def _read(data: str) -> bytes:
    if data == "-" or data == "@-":
        return sys.stdin.buffer.read()
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise Trouble(f"{data[1:]} cannot be read: {error.strerror}", MISUSED) from None


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
