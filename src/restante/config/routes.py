"""The tables `[[routes]]`: which requests, and how they are treated."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import jsonpointer

from ..core.change import MESSAGES
from ..core.envelope import MAX_PRIORITY
from ..core.errors import SettingError
from ..core.policy import Lookup, Route, Upstream
from ..core.status import Dialect, Interrupted
from .kinds import FLAG, TEXT, Kind, choice, whole
from .table import Misplaced, Section, Setting, Table, unknown
from .upstreams import DEFAULT, NAME, TOKEN

MAX_MESSAGE = 1000
MAX_MASKS = 100
OURS = ("/-/", "/async/")
"""What begins so reaches no route, neither by its plain path nor below /async/."""

_PATH = re.compile(r"/[\x21\x22\x24-\x3e\x40-\x7e]*")  # visible ASCII without # and ?


class Match(NamedTuple):
    """Which requests a route is for."""

    method: str
    path: str


def _match(value: object) -> Match:
    expected = 'expected a method (or *) and a path, such as "POST /channel/v0/tickets" or "* /v2/*"'
    words = value.split(" ") if isinstance(value, str) else []
    if len(words) != 2 or not TOKEN.fullmatch(words[0]) or not _PATH.fullmatch(words[1]):
        raise ValueError(expected)
    method, path = words
    if method != method.upper():
        raise ValueError(f"methods are written in upper case; {expected}")
    if path.count("*") > 1:
        raise ValueError(f"a path may hold one * only, which matches the rest; {expected}")
    return Match(method, path)


def _transactions(value: object) -> str:
    if (
        not isinstance(value, str)
        or not _PATH.fullmatch(value)
        or "*" in value
        or value.endswith("/")
        or f"{value}/".startswith(OURS)
    ):
        raise ValueError("expected a path such as /seller/v0/transactions, not below /-/ or /async/")
    return value


def _pointer(value: object) -> str:
    try:
        return str(jsonpointer.JsonPointer(value if isinstance(value, str) else "-").path)
    except jsonpointer.JsonPointerException:
        raise ValueError("expected a JSON pointer such as /id") from None


def _pointers(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > MAX_MASKS:
        raise ValueError(
            f'expected a list of up to {MAX_MASKS} JSON pointers, such as ["/request/credit_card/number"]'
        )
    pointers = []
    for place, pointer in enumerate(value):
        try:
            pointers.append(_pointer(pointer))
        except ValueError as error:
            raise Misplaced(f"[{place}]", str(error)) from None
    return tuple(pointers)


def _pointers_text(text: str) -> object:
    return [part.strip() for part in text.split(",") if part.strip()]


POINTERS = Kind("list of pointers", _pointers, _pointers_text, "POINTER,…")


def _tracking_id(value: object) -> str:
    if isinstance(value, str) and TOKEN.fullmatch(value):
        return value
    if value == "":
        raise ValueError(_TRACKING_FORM)
    try:
        return _pointer(value)
    except ValueError:
        raise ValueError(_TRACKING_FORM) from None


_TRACKING_FORM = "expected a JSON pointer into the body, such as /request/tracking_id, or a header's name"


def _data(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise ValueError('expected a table of JSON pointers, such as { ticket_id = "/id" }')
    for name, pointer in value.items():
        try:
            _pointer(pointer)
        except ValueError as error:
            raise Misplaced(f".{name}", str(error)) from None
    return tuple(value.items())


def _messages(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise ValueError('expected a table of texts, such as { completed = "Ticket created" }')
    for name, text in value.items():
        if name not in MESSAGES:
            raise Misplaced(
                f".{name}", f"{unknown(str(name), list(MESSAGES))} (known: {', '.join(MESSAGES)})"
            )
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_MESSAGE:
            raise Misplaced(f".{name}", f"expected text of 1 to {MAX_MESSAGE} characters")
    return tuple(value.items())


def _found(value: object) -> str:
    if value == "":
        raise ValueError("expected a JSON pointer such as /uid; the whole answer is always there")
    return _pointer(value)


def _callback(value: object) -> str:
    if value == "":
        raise ValueError("expected a JSON pointer such as /notification_url; the whole body is no URL")
    return _pointer(value)


def _lookup(value: object) -> str:
    method, _, path = value.partition(" ") if isinstance(value, str) else ("", "", "")
    if method != "GET" or not _TARGET.fullmatch(_PLACES.sub("x", path)):
        raise ValueError(_LOOKUP_FORM)
    if not _PLACES.search(path):
        raise ValueError("must say which transaction is meant, with {tracking_id} or {id}")
    return path


_LOOKUP_FORM = (
    'expected GET and a path, such as "GET /v2/transactions/tracking_id/{tracking_id}"; '
    "{tracking_id} and {id} stand for the transaction's"
)
_TARGET = re.compile(r"/[\x21\x22\x24-\x7a\x7c\x7e]*")  # visible ASCII without #, { and }
_PLACES = re.compile(r"\{(?:tracking_id|id)\}")


MATCH = Setting(
    "match",
    Kind("method and path", _match),
    "the method (`*` for any) and the path as it comes, without `/async` in front; one `*` in it matches "
    "the rest",
)
UPSTREAM_NAME = Setting("upstream", TEXT, "the name of the upstream that does the work")
DIALECT = Setting(
    "dialect",
    choice("task", "transaction"),
    "how it is spelled on the plain path: `task` passes it straight through (and runs it in the background "
    "below `/async`), `transaction` runs it in the background",
    "task",
)
TRANSACTIONS = Setting(
    "transactions",
    Kind("path", _transactions),
    'where transactions of this route are looked up and listed; needed with `dialect = "transaction"`',
)
OPERATION = Setting(
    "operation",
    choice("create", "update", "delete", "read"),
    "what it does; without it the method tells",
)
INTERRUPTED = Setting(
    "interrupted",
    choice("fail", "retry", "reconcile"),
    "what becomes of an attempt that may have been sent and has no complete answer: `fail`, `retry` "
    "where the upstream honours `Idempotency-Key`, or `reconcile`: the upstream is asked with `lookup`. "
    "Idempotent methods are repeated in any case",
    "fail",
)
PRIORITY = Setting(
    "priority",
    whole(-MAX_PRIORITY, MAX_PRIORITY),
    "whose turn it is among its tenant's: higher numbers come first",
    0,
)
TRACKING_ID = Setting(
    "tracking_id",
    Kind("pointer or header", _tracking_id),
    "where the caller's own id is: a JSON pointer into the request body, or a header's name",
)
DEFERRED = Setting(
    "deferred",
    FLAG,
    "whether the upstream may answer `Restante-Completion: deferred` and report the end later; needs "
    "`events_url`",
    False,
)
LOOKUP = Setting(
    "lookup",
    Kind("GET and path", _lookup),
    "how the upstream is asked what became of a request, with the caller's header fields: "
    "`GET /v2/transactions/tracking_id/{tracking_id}`",
)
FOUND = Setting("found", Kind("pointer", _found), "what is in the look-up's answer if the work was done")
ANSWER = Setting(
    "answer",
    Kind("pointer", _pointer),
    "what of the look-up's answer becomes the result; without it, all of it",
)
NOT_FOUND = Setting(
    "not_found",
    choice("fail", "retry"),
    "what becomes of a request that the look-up does not find: it ends as failed, or is repeated",
    "fail",
)
CALLBACK = Setting(
    "callback",
    Kind("pointer", _callback),
    "where in the request body a URL may be that is told of the end: a JSON pointer, such as "
    "`/request/notification_url`",
)
DATA = Setting(
    "data",
    Kind("table of pointers", _data),
    "what the event `completed` carries, by name: JSON pointers into the upstream's answer. Without it, the "
    'answer itself, if that is a JSON object under 16 KiB; `dialect = "transaction"` only',
)
MESSAGES_TABLE = Setting(
    "messages",
    Kind("table of text", _messages),
    "the words of events, by name: " + ", ".join(f"`{name}`" for name in MESSAGES),
)

MASK = Setting(
    "mask",
    POINTERS,
    "JSON pointers to what people are not shown of a request, an answer or an event's data, as in "
    '`["/request/credit_card/number"]`; card numbers are masked without it',
    [],
)

ROUTE = Section(
    "`[[routes]]`",
    "The first route that matches wins; what none matches is a task route (with `strict = true`: refused). "
    "In messages the first one is `routes[0]`.",
    (
        MATCH,
        UPSTREAM_NAME,
        DIALECT,
        TRANSACTIONS,
        OPERATION,
        INTERRUPTED,
        PRIORITY,
        TRACKING_ID,
        DEFERRED,
        LOOKUP,
        FOUND,
        ANSWER,
        NOT_FOUND,
        CALLBACK,
        DATA,
        MESSAGES_TABLE,
        MASK,
    ),
)


def read_routes(raw: object, upstreams: Mapping[str, Upstream], *, strict: bool) -> tuple[Route, ...]:
    """The routes in order. Where what none matches has no upstream called `default` to go to, a last
    route sends it to the only one."""
    if not isinstance(raw, list | tuple):
        raise SettingError("routes", "expected [[routes]], one for each route")
    routes = tuple(_route(item, f"routes[{number}]", upstreams) for number, item in enumerate(raw))
    if strict or DEFAULT in upstreams or any(route.method == "*" and route.path == "/*" for route in routes):
        return routes
    if len(upstreams) > 1:
        raise SettingError(
            "upstreams",
            f"name one of them {DEFAULT}, for what no route matches, or add a last route for * /*, "
            "or set strict = true",
        )
    return (*routes, Route(upstream=next(iter(upstreams))))


def _route(raw: object, place: str, upstreams: Mapping[str, Upstream]) -> Route:
    table = Table(raw, place, ROUTE)
    match = table.get(MATCH)
    dialect = Dialect(table.get(DIALECT))
    route = Route(
        method=match.method,
        path=match.path,
        upstream=_upstream_name(table, upstreams),
        dialect=dialect,
        transactions=table.find(TRANSACTIONS),
        operation=table.find(OPERATION),
        interrupted=Interrupted(table.get(INTERRUPTED)),
        priority=table.get(PRIORITY),
        tracking_id=table.find(TRACKING_ID),
        deferred=table.get(DEFERRED),
        lookup=_reconciling(table),
        callback=table.find(CALLBACK),
        data=table.find(DATA),
        messages=table.find(MESSAGES_TABLE) or (),
        mask=table.get(MASK),
    )
    if route.path.startswith(OURS):
        raise table.refuse(MATCH, "paths below /-/ and /async/ reach no route; write the path without /async")
    if dialect is Dialect.TRANSACTION:
        if route.transactions is None:
            raise table.refuse(
                TRANSACTIONS, 'missing: dialect = "transaction" needs the path to look them up'
            )
    else:
        for setting in (TRANSACTIONS, DATA):
            if table.has(setting):
                raise table.refuse(setting, 'goes with dialect = "transaction" only')
    return route


def _reconciling(table: Table) -> Lookup | None:
    if table.get(INTERRUPTED) != Interrupted.RECONCILE:
        for setting in (LOOKUP, FOUND, ANSWER, NOT_FOUND):
            if table.has(setting):
                raise table.refuse(setting, 'goes with interrupted = "reconcile" only')
        return None
    lookup = Lookup(
        target=table.get(LOOKUP),
        found=table.get(FOUND),
        answer=table.find(ANSWER) or "",
        retry=table.get(NOT_FOUND) == "retry",
    )
    if "{tracking_id}" in lookup.target and not table.has(TRACKING_ID):
        raise table.refuse(TRACKING_ID, "missing: lookup asks for the {tracking_id}")
    return lookup


def _upstream_name(table: Table, upstreams: Mapping[str, Upstream]) -> str:
    name = table.find(UPSTREAM_NAME)
    known = ", ".join(upstreams)
    if name is None:
        if DEFAULT in upstreams:
            return DEFAULT
        if len(upstreams) == 1:
            return next(iter(upstreams))
        raise table.refuse(UPSTREAM_NAME, f"missing: there are several upstreams ({known})")
    if name not in upstreams:
        named = f" called {name}" if NAME.fullmatch(name) else " of that name"
        raise table.refuse(UPSTREAM_NAME, f"there is no upstream{named}; there is {known}")
    return name
