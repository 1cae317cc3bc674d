"""A running server, as the commands see it: one request at a time, problems as one line and an exit code.

The commands read nothing but the native API and what an accept answers, so they work with any server of this
version, wherever it runs.
"""

import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import click
import msgspec

from .masks import hide

DEFAULT = "http://127.0.0.1:8600"
VARIABLE = "RESTANTE_SERVER"
KEY_VARIABLE = "RESTANTE_KEY"
TIMEOUT_SECONDS = 60.0
"""For one read; longer than the server holds back any answer."""

WENT_WRONG, MISUSED, FAILED, CANCELLED, UNKNOWN, NOT_NOW = 1, 2, 3, 4, 5, 6
"""Exit codes; what each means stands in docs/reference/cli.md."""

ENDED = {"completed": 0, "failed": FAILED, "cancelled": CANCELLED}
"""Terminal statuses, and how a command ends that waited for one."""

PIECE = 64 * 1024
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
_PASSING = (502, 503, 504)
PROBLEM = "urn:restante:problem:"
_UNKNOWN_TRANSACTION = PROBLEM + "unknown-transaction"
_NO_RESULT = PROBLEM + "no-result"
_SAFE = "!$&'()*+,-./:;=?@_~%"

Pairs = list[tuple[str, str]]
Document = dict[str, Any]


class Trouble(click.ClickException):
    """What ends a command: one line, and the exit code that goes with it."""

    def __init__(self, message: str, code: int = WENT_WRONG, *, problem: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.problem = problem


class Away(Trouble):
    """Nobody answers, or nobody who can, or what answers breaks off. It may pass."""


class Answer:
    """An answer whose body is still to be read."""

    def __init__(self, connection: HTTPConnection, response: HTTPResponse, server: str) -> None:
        self._connection = connection
        self._response = response
        self._server = server
        self.code = response.status
        self.reason = response.reason
        self.headers: Pairs = response.getheaders()
        hide(_pointers(self.header(MASK)))

    def header(self, name: str) -> str:
        return self._response.getheader(name) or ""

    @property
    def kind(self) -> str:
        """The media type."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes. Raises `Away` where it breaks off."""
        try:
            while piece := self._response.read1(PIECE):
                yield piece
            if self._response.length:  # `read1` does not say that the end came too early
                raise Away(f"{self._server}: the answer broke off")
        except (OSError, HTTPException) as error:
            raise Away(f"{self._server}: the answer broke off: {_why(error)}") from None
        finally:
            self.close()

    def lines(self) -> Iterator[str]:
        """The body's lines without their ends, each as soon as it is there."""
        rest = b""
        for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line.removesuffix(b"\r").decode("utf-8", "replace")

    def document(self, *names: str) -> Document:
        """The body, which is a JSON object with at least these names in it."""
        try:
            document = msgspec.json.decode(b"".join(self.pieces()))
        except (msgspec.DecodeError, UnicodeDecodeError):
            document = None
        if not isinstance(document, dict) or not document.keys() >= set(names):
            raise Trouble(
                f"{self._server} answered {self.code} with something else; is it a Restante server?"
            )
        return document

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class Server:
    """Where the commands' requests go."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url
        self._key = key
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._base = parts.path.rstrip("/")

    def send(
        self,
        method: str,
        target: str,
        headers: Pairs | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request on a connection of its own; whatever is answered. Raises `Away`."""
        try:
            connection = self._connection()
            names = {name.lower() for name, _ in headers or ()}
            connection.putrequest(
                method, self._base + target, skip_host="host" in names, skip_accept_encoding=True
            )
            if self._key is not None:
                connection.putheader("Restante-Key", self._key.strip())
            for name, value in headers or ():
                connection.putheader(name, value.encode("latin-1"))
            if body is not None or method not in ("GET", "HEAD"):
                connection.putheader("Content-Length", str(len(body or b"")))
            # A server that does not want to read all of it may have said why.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.endheaders(body)
            return Answer(connection, connection.getresponse(), self.url)
        except (OSError, HTTPException) as error:
            raise Away(f"{self.url}: no answer: {_why(error)}") from None

    def ask(self, method: str, target: str, headers: Pairs | None = None, body: object = None) -> Answer:
        """The same for the native API: an answer that is not 2xx is raised as a `Trouble`."""
        content = None if body is None else msgspec.json.encode(body)
        pairs = [*(headers or ()), *([("Content-Type", "application/json")] if content else [])]
        answer = self.send(method, "/-/" + target, pairs, content)
        if not 200 <= answer.code < 300:
            raise self.trouble(answer)
        return answer

    def trouble(self, answer: Answer) -> Trouble:
        """What an answer that is an error says."""
        if not answer.header("Restante-Status"):
            answer.close()
            if answer.code in _PASSING:
                return Away(f"{self.url} answered {answer.code}: {answer.reason}".rstrip(": "))
            return Trouble(f"{self.url} answered {answer.code}; is it a Restante server?")
        said = answer.document()
        text = str(said.get("detail") or said.get("message") or answer.reason)
        problem = str(said.get("type") or "")
        unknown = problem in (_UNKNOWN_TRANSACTION, _NO_RESULT)
        code = UNKNOWN if unknown else _CODES.get(answer.code, WENT_WRONG)
        kind = Away if answer.code in _PASSING else Trouble
        return kind(text.rstrip("."), code, problem=problem)

    def _connection(self) -> HTTPConnection:
        if not self._secure:
            return HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        context = ssl.create_default_context()
        return HTTPSConnection(self._host, self._port, timeout=TIMEOUT_SECONDS, context=context)


def _pointers(field: str) -> list[str]:
    """What a server names in `Restante-Mask`."""
    try:
        return msgspec.json.decode(field, type=list[str]) if field else []
    except msgspec.DecodeError:
        raise Trouble(f"the server's {MASK} cannot be read; see --raw") from None


def transaction(id: str, *more: str, **query: str) -> str:
    """The path of a transaction behind `/-/`."""
    path = "/".join(("transactions", quote(id, safe=""), *more))
    return f"{path}?{urlencode(query)}" if query else path


def ask_about(server: Server, method: str, id: str, *more: str, body: object = None) -> Answer:
    """`ask` about one transaction; that it is not known is said so that it helps."""
    try:
        return server.ask(method, transaction(id, *more), body=body)
    except Trouble as trouble:
        raise explained(trouble, server, id) from None


def explained(trouble: Trouble, server: Server, id: str) -> Trouble:
    """The same, with the server's name and a hint where the id is not known."""
    if trouble.problem != _UNKNOWN_TRANSACTION:
        return trouble
    hint = "" if len(id) == 36 else "; an id has 36 characters, and restante list shows them"
    return Trouble(f"there is no transaction {id} on {server.url}{hint}", UNKNOWN)


def encoded(path: str) -> str:
    """A path as it goes over the wire: what no URL can hold is percent-encoded, all else is left alone."""
    return quote(path if path.startswith("/") else "/" + path, safe=_SAFE)


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


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="For machines.")(command)


def id_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ID; `-` is the first line of standard input."""
    return click.argument("id", callback=_id)(command)


def _id(context: click.Context, parameter: click.Parameter, value: str) -> str:
    id = sys.stdin.readline().strip() if value == "-" else value.strip()
    if not id:
        raise click.UsageError("an id is needed", context)
    return id


def _key(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:  # a group's holds for its commands
        context.meta[KEY_VARIABLE] = value


def _server(context: click.Context, parameter: click.Parameter, value: str) -> Server:
    return read_server(value, context.meta.get(KEY_VARIABLE))


def read_server(value: str, key: str | None) -> Server:
    """The server at the URL `value`, asked with `key`. Raises `click.UsageError`."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        good = good and value.isascii() and "@" not in parts.netloc and not parts.query and not parts.fragment
    except ValueError:
        good = False
    if not good:
        raise click.UsageError(f"--server: expected a URL such as {DEFAULT}")
    if key is not None and not (key.isascii() and key.isprintable() and key.strip()):
        raise click.UsageError("--key: this is no access key")
    return Server(value.rstrip("/"), key)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if isinstance(error, OSError):
        return error.strerror or "an error of the operating system"
    return "it is not HTTP" if type(error).__name__ == "BadStatusLine" else "the connection was lost"
