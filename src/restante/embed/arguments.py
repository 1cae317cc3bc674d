"""What a function takes, told by its annotations when it is declared, and made of a request when it is run.

- a parameter annotated `Work`: the work itself;
- one named in the path, `/tickets/{id}/messages`: that part of it;
- one of a simple type (str, int, float, bool, an Enum, UUID, a date, or None as well): of the query;
- the one that is left: the body, as JSON. `bytes` is the body as it came.

msgspec reads JSON into its structs, dataclasses, typed dicts and lists; a pydantic model reads itself.
"""

import inspect
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, unquote
from uuid import UUID

import msgspec

from .failures import Misfit
from .work import Work

SIMPLE = (str, int, float, bool, Decimal, datetime, date, time, timedelta, UUID)
NOTHING = inspect.Parameter.empty

TEMPLATE = "#/components/schemas/{name}"

Schemas = dict[str, Any]


class Arguments:
    """Of one function. `named` are the names in its path. Raises `TypeError`, which names the parameter."""

    def __init__(self, function: Callable[..., Any], named: tuple[str, ...]) -> None:
        try:
            hints = get_type_hints(function, include_extras=True)
        except NameError as error:
            raise TypeError(f"an annotation cannot be resolved: {error}") from None
        self.returned = hints.pop("return", Any)
        self.work = self.body = ""
        self.path: dict[str, Any] = {}
        self.query: dict[str, tuple[Any, Any]] = {}  # type, default
        self._read: Callable[[bytes], Any] = lambda content: content
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise TypeError(f"{name}: only parameters with names can be given")
            self._take(name, hints.get(name, NOTHING), parameter.default, named)
        missing = [name for name in named if name not in self.path]
        if missing:
            raise TypeError(f"{missing[0]}: is in the path and no parameter")
        self.body_type = hints.get(self.body)

    def _take(self, name: str, hint: Any, default: Any, named: tuple[str, ...]) -> None:
        if hint is Work:
            self.work = name
        elif hint is NOTHING:
            raise TypeError(f"{name}: missing its annotation")
        elif name in named:
            self.path[name] = hint
        elif _is_simple(hint):
            self.query[name] = (hint, default)
        elif self.body:
            raise TypeError(f"{name}: the body is {self.body} already")
        else:
            self.body = name
            self._read = _reader(name, hint)

    def make(self, path: Mapping[str, str], query: str, body: bytes) -> dict[str, Any]:
        """The arguments, but the work. Raises `Misfit`."""
        made: dict[str, Any] = {}
        for name, hint in self.path.items():
            made[name] = _convert(name, unquote(path[name]), hint)
        given = dict(parse_qsl(query, keep_blank_values=True)) if self.query else {}
        for name, (hint, default) in self.query.items():
            if name in given:
                made[name] = _convert(name, given[name], hint)
            elif default is NOTHING:
                raise Misfit([{"field": name, "message": "missing in the query"}])
        if self.body:
            made[self.body] = self._read(body)
        return made

    def schema(self) -> tuple[Schemas | None, Schemas]:
        """Of the body: its JSON schema, None where there is none, and the documents that it refers to."""
        return schema_of(self.body_type) if self.body and self.body_type is not bytes else (None, {})


def schema_of(hint: Any) -> tuple[Schemas | None, Schemas]:
    """The JSON schema of a type, and the documents that it refers to. None: nothing is known of it."""
    if is_pydantic(hint):
        schema = hint.model_json_schema(ref_template=TEMPLATE.replace("name", "model"))
        return schema, schema.pop("$defs", {})
    try:
        (schema,), documents = msgspec.json.schema_components([hint], ref_template=TEMPLATE)
    except TypeError:
        return None, {}
    return schema, documents


def is_pydantic(hint: Any) -> bool:
    return isinstance(hint, type) and hasattr(hint, "model_validate_json")


def _reader(name: str, hint: Any) -> Callable[[bytes], Any]:
    if hint is bytes:
        return lambda content: content
    if is_pydantic(hint):
        return lambda content: _read_model(hint, content)
    try:
        decode = msgspec.json.Decoder(hint).decode
    except TypeError as error:
        raise TypeError(f"{name}: cannot be read from JSON: {error}") from None

    def read(content: bytes) -> Any:
        try:
            return decode(content)
        except msgspec.DecodeError as error:  # its words are about the form, and name the place
            message, _, place = str(error).partition(" - at `$")
            raise Misfit([{"field": f"body{place.rstrip('`')}", "message": message}]) from None

    return read


def _read_model(model: Any, content: bytes) -> Any:
    try:
        return model.model_validate_json(content)
    except ValueError as error:
        if not hasattr(error, "errors"):
            raise
        raise Misfit(
            [
                {"field": ".".join(("body", *map(str, one["loc"]))), "message": str(one["msg"])}
                for one in error.errors(include_url=False, include_input=False, include_context=False)
            ]
        ) from None


def _convert(name: str, text: str, hint: Any) -> Any:
    try:
        return msgspec.convert(text, hint, strict=False)
    except msgspec.ValidationError as error:
        raise Misfit([{"field": name, "message": str(error)}]) from None


def _is_simple(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return _is_simple(get_args(hint)[0])
    if get_origin(hint) is Union or type(hint).__name__ == "UnionType":
        return all(part is type(None) or _is_simple(part) for part in get_args(hint))
    return isinstance(hint, type) and issubclass(hint, (*SIMPLE, Enum))
