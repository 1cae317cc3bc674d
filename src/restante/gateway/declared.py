"""Calls as the API's description has them, and those that routes declare (`Route.described`)."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ..core.policy import Policy, Route
from ..core.status import Dialect
from ..dialects import schemas as of
from ..dialects.schemas import Schema, some, table
from .rooms import ASYNC

Codes = dict[int, Schema | None]
"""What is answered, by code; None: no body."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A call. `refusals` are the codes of its problems beside those that every call has."""

    summary: str
    answers: Codes
    query: tuple[str, ...] = ()
    body: Schema | None = None
    body_needed: bool = True
    refusals: tuple[int, ...] = ()
    waits: bool = False  # `Prefer: wait=N`
    streams: bool = False  # for whoever accepts an event stream
    verbatim: bool = False  # any answer at all: the upstream's
    key: bool = False  # an idempotency key is looked at
    gives: str = ""  # what of the answer is the id of a transaction
    parameters: tuple[dict[str, Any], ...] = ()  # as they stand in the description
    result: Schema | None = None  # of what the transaction ends with


ACCEPTED = table(transaction_id=of.TEXT, links=some(table(path=of.TEXT)))


class Declared(msgspec.Struct, frozen=True):
    """What is in `Route.described`."""

    path: str
    summary: str
    parameters: list[dict[str, Any]] = []
    body: Schema | None = None
    result: Schema | None = None
    schemas: dict[str, Schema] = {}


def declared(policy: Policy) -> Iterable[tuple[str, Described, dict[str, Schema]]]:
    """Each with its name, `POST /channel/v0/tickets`, and the documents that it refers to."""
    for route in policy.routes:
        if route.described:
            yield _declared(route, msgspec.json.decode(route.described, type=Declared))


def _declared(route: Route, said: Declared) -> tuple[str, Described, dict[str, Schema]]:
    task = route.dialect is Dialect.TASK
    path = ASYNC.rstrip("/") + said.path if task else said.path
    described = Described(
        summary=said.summary,
        answers={202: of.TASK if task else ACCEPTED},
        parameters=tuple(said.parameters),
        body=said.body,
        refusals=(404, 413, 422, 429),
        key=True,
        gives="request_id" if task else "transaction_id",
        result=said.result,
    )
    return f"{route.method} {path}", described, said.schemas
