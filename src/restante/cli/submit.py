"""`restante submit`: a request to be run in the background, as with `/async` before its path."""

import re
import sys
from pathlib import Path

import click
import msgspec

from .masks import raw_option
from .printing import say, say_json
from .remote import (
    MISUSED,
    Pairs,
    Server,
    Trouble,
    encoded,
    json_option,
    server_option,
)
from .result import give
from .watch import follow

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OURS = ("/status/", "/result/")


@click.command(short_help="Send a request to be run in the background.")
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
    idempotency_key: str | None,
    delay: str | None,
    deadline: str | None,
    priority: str | None,
    tracking_id: str | None,
    callback_url: str | None,
    wait: bool,
    server: Server,
    as_json: bool,
) -> int:
    """Sends METHOD PATH (with its query) through /async and prints the transaction's id. Data that is JSON is
    sent as such unless a Content-Type is given. With --wait the id goes to standard error, the upstream's
    answer to standard output (with --json: the transaction), and the exit code says how it ended."""
    method = method.upper()
    if not TOKEN.fullmatch(method):
        raise click.UsageError(f"{method} is not an HTTP method")
    target = encoded(path)
    if method in ("GET", "HEAD", "DELETE") and target.startswith(OURS):
        raise click.UsageError(f"{method} {path} below /async is Restante's own; it cannot be submitted")
    pairs = [_pair(one) for one in header]
    body = None if data is None else _read(data)
    if body is not None and not any(name.lower() == "content-type" for name, _ in pairs) and _is_json(body):
        pairs.append(("Content-Type", "application/json"))
    for name, value in (
        ("Idempotency-Key", idempotency_key),
        ("Restante-Delay", delay),
        ("Restante-Deadline", deadline),
        ("Restante-Priority", priority),
        ("Restante-Tracking-Id", tracking_id),
        ("Restante-Callback-Url", callback_url),
    ):
        if value is not None:
            pairs.append(_pair(f"{name}: {value}"))
    id = _accepted(server, method, target, pairs, body, show=as_json and not wait)
    if not wait:
        if not as_json:
            say(id)
        return 0
    say(id, err=True)
    ended = follow(server, id, lambda event: None)
    return give(server, id, ended, as_json=as_json)


def _accepted(
    server: Server, method: str, target: str, pairs: Pairs, body: bytes | None, *, show: bool
) -> str:
    answer = server.send(method, "/async" + target, pairs, body)
    if not 200 <= answer.code < 300:
        raise server.trouble(answer)
    if answer.header("Idempotent-Replayed"):
        say("restante: this key was used before; here is what it began then", err=True)
    accepted = answer.document("request_id")
    if show:
        say_json(accepted)
    return str(accepted["request_id"])


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    value = value.strip()
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise click.UsageError(f"{name}: a header holds Latin-1 characters only") from None
    if not colon or not TOKEN.fullmatch(name) or any(one in value for one in "\r\n\0"):
        raise click.UsageError(f"{text!r} is not a header such as 'Accept: text/plain'")
    if name.lower() in ("content-length", "transfer-encoding", "connection"):
        raise click.UsageError(f"{name} is made from the data and cannot be given")
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
