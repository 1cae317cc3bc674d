"""A running server, as the commands see it: the client, and what goes wrong as one line and an exit code.

The commands read nothing but the native API and what an accept answers, so they work with any server of this
version, wherever it runs.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from urllib.parse import urlencode

import click
import msgspec

from ..client.address import EXPECTED, id_of
from ..client.answer import Response
from ..client.client import Client
from ..client.errors import ClientError, NotReached, Refused
from ..client.flow import transaction
from .masks import hide

DEFAULT = "http://127.0.0.1:8600"
VARIABLE = "RESTANTE_SERVER"
KEY_VARIABLE = "RESTANTE_KEY"

WENT_WRONG, MISUSED, FAILED, CANCELLED, UNKNOWN, NOT_NOW = 1, 2, 3, 4, 5, 6
"""Exit codes; what each means stands in docs/reference/cli.md."""

ENDED = {"completed": 0, "failed": FAILED, "cancelled": CANCELLED}
"""Terminal statuses, and how a command ends that waited for one."""

PATIENCE_SECONDS = 20.0
"""For how long a server that was there, and is not, is asked again by a command that follows something."""

STATUSES = ("pending", "processing", "completed", "failed", "cancelled")
OPERATIONS = ("create", "update", "delete", "read")

DEFAULT_LIMIT = 50
PAGE = 100
"""Rows that are asked for at once."""

MASK = "Restante-Mask"
_CODES = {
    400: MISUSED,
    401: MISUSED,
    403: MISUSED,
    404: MISUSED,
    409: NOT_NOW,
    413: MISUSED,
    422: MISUSED,
    425: NOT_NOW,
}
_UNKNOWN_TRANSACTION = "unknown-transaction"
_NOT_FOUND = "not-found"  # there is no such call: `/-/` is at another address
_NO_RESULT = "no-result"

Document = dict[str, Any]


class Trouble(click.ClickException):
    """What ends a command: one line, and the exit code that goes with it."""

    def __init__(self, message: str, code: int = WENT_WRONG, *, problem: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.problem = problem


class Server:
    """Where the commands' questions go: asked once, until `patient` was called."""

    def __init__(self, url: str, key: str | None = None) -> None:
        """Raises `ValueError`."""
        self.client = Client(url, key=key, patience=0, on_answer=hide_named)
        self.url = self.client.url

    def patient(self) -> None:
        """It was there. From here on, what may pass is asked for again."""
        self.client.conversation.patience = PATIENCE_SECONDS

    def ask(
        self,
        method: str,
        target: str,
        *,
        needs: tuple[str, ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
        body: object = None,
    ) -> Document:
        """The JSON object that the native API answers, with at least these names in it. Raises `Trouble`."""
        with troubles():
            answer = self.client.run(self.client.conversation.call(method, target, headers, body))
        document = answer.document()
        if not document.keys() >= set(needs):
            raise Trouble(
                f"{self.url} answered {answer.status_code} with something else; is it a Restante server?"
            )
        return document


Pages = Iterator[tuple[list[Document], bool]]


def pages(ask: Callable[[str], Document], name: str, filters: Document, most: int | None) -> Pages:
    """A list's pages as they come, never more than `most` rows; whether the last one left some out.

    `ask` is given the query, and answers with the rows under `name`.
    """
    left = most
    after: str | None = None
    given = {key: value for key, value in filters.items() if value}
    while True:
        size = PAGE if left is None else min(PAGE, left)
        document = ask("?" + urlencode({**given, "limit": size, **({"after": after} if after else {})}))
        page, after = document[name], document["next"]
        if left is not None:
            left -= len(page)
        over = left is not None and left <= 0
        yield page, bool(after) and over
        if after is None or over:
            return


@contextmanager
def troubles() -> Iterator[None]:
    """What goes wrong with a server, as what ends the command."""
    try:
        yield
    except Refused as error:
        unknown = error.problem in (_UNKNOWN_TRANSACTION, _NO_RESULT)
        code = UNKNOWN if unknown else _CODES.get(error.status, WENT_WRONG)
        elsewhere = " with --server" if error.problem == _NOT_FOUND else ""
        raise Trouble(error.message + elsewhere, code, problem=error.problem) from None
    except NotReached as error:
        again = f"; again with --idempotency-key {error.idempotency_key}" if error.idempotency_key else ""
        raise Trouble(error.message + (again if error.sent else "")) from None
    except ClientError as error:
        raise Trouble(error.message) from None


def hide_named(answer: Response) -> None:
    """Hides what a server names in `Restante-Mask`."""
    field = answer.headers.get(MASK)
    try:
        hide(msgspec.json.decode(field, type=list[str]) if field else [])
    except msgspec.DecodeError:
        raise Trouble(f"the server's {MASK} cannot be read; see --raw") from None


def ask_about(
    server: Server, method: str, id: str, *more: str, needs: tuple[str, ...] = (), body: object = None
) -> Document:
    """`ask` about one transaction; that it is not known is said so that it helps."""
    with explaining(server, id):
        return server.ask(method, "/".join((transaction(id), *more)), needs=needs, body=body)


@contextmanager
def explaining(server: Server, id: str) -> Iterator[None]:
    """`troubles` about one transaction, with the server's name and a hint where the id is not known."""
    try:
        with troubles():
            yield
    except Trouble as trouble:
        if trouble.problem != _UNKNOWN_TRANSACTION:
            raise
        hint = "" if len(id) == 36 else "; an id has 36 characters, and restante list shows them"
        raise Trouble(f"there is no transaction {id} on {server.url}{hint}", UNKNOWN) from None


def server_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--server` and `--key`; the command is given a `Server`."""
    server = click.option(
        "--server",
        metavar="URL",
        envvar=VARIABLE,
        default=DEFAULT,
        callback=_server,
        help=f"Where Restante runs; also in the environment as {VARIABLE}. Default: {DEFAULT}.",
    )
    key = click.option(
        "--key",
        metavar="KEY",
        envvar=KEY_VARIABLE,
        is_eager=True,
        expose_value=False,
        callback=_key,
        help=f"An access key, where one is needed; also in the environment as {KEY_VARIABLE}.",
    )
    return server(key(command))


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--limit` and `--all`; the command is given `most`, None for all."""

    @wraps(command)
    def with_most(*arguments: Any, limit: int | None, everything: bool, **given: Any) -> Any:
        if everything and limit is not None:
            raise click.UsageError("--all and --limit do not go together")
        return command(*arguments, most=None if everything else limit or DEFAULT_LIMIT, **given)

    limit = click.option(
        "--limit", type=click.IntRange(min=1), metavar="NUMBER", help=f"At most. Default: {DEFAULT_LIMIT}."
    )
    return limit(click.option("--all", "everything", is_flag=True, help="However many there are.")(with_most))


def tenant_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--tenant", metavar="TENANT", help="Of this tenant only, with a key that reaches all."
    )(command)


def words(*some: str) -> Callable[..., list[str]]:
    """What a shell completes a value with."""
    return lambda context, parameter, begun: [one for one in some if one.startswith(begun)]


def id_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ID, or a URL that names it; `-` is the first line of standard input."""
    return click.argument("id", callback=_id)(command)


def _id(context: click.Context, parameter: click.Parameter, value: str) -> str:
    id = sys.stdin.readline().strip() if value == "-" else value.strip()
    try:
        return id_of(id) if not id or id.startswith(("http://", "https://")) else id
    except ValueError as error:
        raise click.UsageError(str(error), context) from None


def _key(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:  # a group's holds for its commands
        context.meta[KEY_VARIABLE] = value


def _server(context: click.Context, parameter: click.Parameter, value: str) -> Server:
    return read_server(value, context.meta.get(KEY_VARIABLE))


def read_server(value: str, key: str | None) -> Server:
    """The server at the URL `value`, asked with `key`. Raises `click.UsageError`."""
    try:
        return Server(value, key)
    except ValueError as error:
        flag = "--server" if str(error) == EXPECTED else "--key"
        raise click.UsageError(f"{flag}: {error}") from None
