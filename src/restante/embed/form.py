"""Paths of operations, and what the API's description says of them."""

import inspect
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec

from ..core.policy import Route
from .arguments import NOTHING, Arguments, schema_of
from .exchange import Scope

NAMED = re.compile(r"{([A-Za-z_][A-Za-z0-9_]*)}")


def pattern_of(path: str) -> re.Pattern[str]:
    """What matches a path in which a part may be `{named}`. Raises `TypeError`."""
    literal = NAMED.split(path)
    if any(sign in part for part in literal[::2] for sign in "{}*"):
        raise TypeError(f"{path}: expected a path such as /tickets/{{id}}/messages")
    parts = [
        re.escape(part) if place % 2 == 0 else f"(?P<{part}>[^/]+)" for place, part in enumerate(literal)
    ]
    return re.compile("".join(parts))


def path_text(scope: Scope) -> str:
    """A request's path as it came, as far as the server tells, below where it is mounted; as latin-1 text."""
    raw: bytes | None = scope.get("raw_path")
    text = quote(scope["path"], safe="/~!$&'()*+,;=:@") if raw is None else raw.decode("latin-1")
    root: str = scope.get("root_path", "").rstrip("/")
    return str(text.removeprefix(root) if root and text.startswith(f"{root}/") else text)


def declared(function: Callable[..., Any], *, path: str, arguments: Arguments, route: Route) -> bytes:
    """What `Route.described` holds."""
    body, documents = arguments.schema()
    answer, more = (None, {}) if arguments.returned is Any else schema_of(arguments.returned)
    words = inspect.getdoc(function) or ""
    parameters = []
    for name, (hint, default) in arguments.query.items():
        schema, also = schema_of(hint)
        more |= also
        required = default is NOTHING
        parameters.append({"name": name, "in": "query", "required": required, "schema": schema or {}})
    return msgspec.json.encode(
        {
            "path": path,
            "summary": words.partition("\n")[0] or getattr(function, "__name__", "").replace("_", " "),
            "parameters": parameters,
            "body": body,
            "result": answer,
            "schemas": {**documents, **more},
        }
    )
