"""What is submitted, as the request that it becomes."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Literal, TypedDict, get_args
from urllib.parse import quote

import msgspec

from ..core.duration import FORM, parse_duration
from ..core.policy import IDEMPOTENT_METHODS, SAFE_METHODS
from .answer import Ask

Dialect = Literal["task", "transaction", "prefer"]
Duration = str | float | timedelta
HeadersGiven = Mapping[str, str] | Iterable[tuple[str, str]]

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
KEY_FIELDS = ("idempotency-key", "requestid")
"""Where both are given, the first counts."""

MADE = frozenset({"content-length", "transfer-encoding", "connection"})
OURS = ("/status/", "/result/")
READ_HERE = frozenset({"GET", "HEAD", "DELETE"})
_IN_A_PATH = "!$&'()*+,-./:;=?@_~%"


class Submission(msgspec.Struct, frozen=True):
    """A request to be submitted. `repeat`: it may be sent again though it may have been taken already.
    `harmless`: even where it may have gone straight through, and been done."""

    ask: Ask
    key: str | None
    repeat: bool
    harmless: bool


class Given(TypedDict, total=False):
    """What may be said of a submit. Spans of time are seconds, a timedelta, or text such as "10m"."""

    json: Any
    content: bytes | str | None
    headers: HeadersGiven
    idempotency_key: str | None
    delay: Duration | None
    deadline: Duration | None
    priority: int | None
    callback_url: str | None
    tracking_id: str | None
    dialect: Dialect


def submission(
    method: str, path: str, given: Given, *, default: Dialect, new_key: Callable[[], str]
) -> Submission:
    """The request for it. Raises `ValueError` for what cannot be submitted."""
    dialect = known(given.get("dialect", default))
    method, target = _line(method, path, dialect)
    headers = given.get("headers", ())
    pairs = [
        checked(name, value) for name, value in (headers.items() if isinstance(headers, Mapping) else headers)
    ]
    there = {name.lower(): value for name, value in pairs}
    content = given.get("content")
    body = content.encode() if isinstance(content, str) else content
    if "json" in given:
        if body is not None:
            raise ValueError("give either json or content")
        body = msgspec.json.encode(given["json"])
        if "content-type" not in there:
            pairs.append(("Content-Type", "application/json"))
    key = given.get("idempotency_key")
    harmless = method in IDEMPOTENT_METHODS or key is not None or bool(there.keys() & set(KEY_FIELDS))
    if key is None:
        key = next((there[name] for name in KEY_FIELDS if name in there), None)
        if key is None and method not in SAFE_METHODS:
            key = new_key()
        if key is not None and not there.keys() & set(KEY_FIELDS):
            pairs.append(("Idempotency-Key", key))
    else:
        pairs.append(checked("Idempotency-Key", key))
    if dialect == "prefer":
        pairs.append(("Prefer", "respond-async"))
    pairs += [checked(name, value) for name, value in _options(given).items() if value is not None]
    ask = Ask(method, target, tuple(pairs), body)
    # A preference may be ignored (RFC 7240 §2), and then each sending is one more execution.
    repeat = dialect != "prefer" or method in IDEMPOTENT_METHODS
    return Submission(ask, key, repeat, repeat and harmless)


def known(dialect: Dialect) -> Dialect:
    """Raises `ValueError` where it is none: what was meant for the background would go straight through."""
    if dialect not in get_args(Dialect):
        raise ValueError(f"dialect: expected {', '.join(get_args(Dialect))}")
    return dialect


def _line(method: str, path: str, dialect: Dialect) -> tuple[str, str]:
    method, target = method.upper(), encoded(path)
    if not TOKEN.fullmatch(method):
        raise ValueError(f"{method} is not an HTTP method")
    if dialect != "task":
        return method, target
    if method in READ_HERE and target.startswith(OURS):
        raise ValueError(f"{method} {path} below /async is Restante's own; it cannot be submitted")
    return method, "/async" + target


def _options(given: Given) -> dict[str, str | None]:
    """What is asked of Restante itself."""
    delay, deadline, priority = given.get("delay"), given.get("deadline"), given.get("priority")
    return {
        "Restante-Delay": None if delay is None else spelled("delay", delay),
        "Restante-Deadline": None if deadline is None else spelled("deadline", deadline),
        "Restante-Priority": None if priority is None else str(priority),
        "Restante-Callback-Url": given.get("callback_url"),
        "Restante-Tracking-Id": given.get("tracking_id"),
    }


def encoded(path: str) -> str:
    """A path as it goes over the wire: what no URL can hold is percent-encoded, all else is left alone.

    Raises `ValueError` for a whole URL, or whatever else begins with no slash: it would be another path.
    """
    if not path.startswith("/"):
        raise ValueError("a path begins with a slash, such as /payments; the server's URL is given apart")
    return quote(path, safe=_IN_A_PATH)


def checked(name: str, value: str) -> tuple[str, str]:
    """A header field; raises `ValueError` naming it."""
    value = value.strip()
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header's name")
    if name.lower() in MADE:
        raise ValueError(f"{name} is made from the content and cannot be given")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"{name}: a header holds Latin-1 characters only") from None
    if any(one in value for one in "\r\n\0"):
        raise ValueError(f"{name}: a header is one line")
    return name, value


def spelled(name: str, span: Duration) -> str:
    """A span as the server reads it; numbers are seconds. Raises `ValueError` with the option's name."""
    if isinstance(span, str):
        try:
            parse_duration(span)
        except ValueError:
            raise ValueError(f"{name}: expected {FORM}") from None
        return span.strip()
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 0:
        raise ValueError(f"{name}: a span of time is not negative")
    return f"{round(seconds * 1000)}ms"
