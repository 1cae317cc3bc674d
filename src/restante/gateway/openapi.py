"""`GET /-/openapi.json`: every call that is ours, described from the tables that serve it (OpenAPI 3.1).

Which calls there are is told by `native.TABLE`, who may by `access.NATIVE`, what a list can be asked for by
the names that its reader knows, and how things look by `dialects/schemas.py`. Here stands only what answers
what; a test finds what is served and not described.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from .. import __version__
from ..core.policy import Policy
from ..core.status import Dialect, Status
from ..dialects import keys, native, transaction, webhooks
from ..dialects import schemas as of
from ..dialects.schemas import Schema, maybe, named, some, table
from ..dialects.task import BROKEN_CODES
from ..ports import EVENTS
from .access import NATIVE, OPEN, READ, SUBMIT, Need
from .declared import Described, declared
from .endpoints import NAMES as ENDPOINTS
from .feed import NAMES as FEED
from .poll import MAX_DIGITS
from .rooms import RESULT, STATUS

JSON = "application/json"
PROBLEM = "application/problem+json"
STREAM = "text/event-stream"
ANYTHING = "*/*"

ID = "^([0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})?$"
"""How the ids of transactions look, or nothing."""

OK = table(status={"const": "ok"})


def a_page(of: str, name: str) -> Schema:
    """A page of a list, and the cursor behind it."""
    return table(**{of: some(named(name)), "next": maybe({"type": "string"})})


CALLS: dict[str, Described] = {
    "GET /-/transactions": Described(
        summary="Lists transactions, the newest first.",
        answers={200: a_page("transactions", "Transaction")},
        query=native.NAMES,
    ),
    "GET /-/transactions/{id}": Described(
        summary="A transaction with its events.", answers={200: named("Transaction")}, waits=True
    ),
    "GET /-/transactions/{id}/result": Described(
        summary="The upstream's answer as it came. To read it here never uses it up.",
        answers={},
        refusals=(425,),
        waits=True,
        verbatim=True,
    ),
    "GET /-/transactions/{id}/events": Described(
        summary="Its events, behind one or all of them.",
        answers={200: table(events=some(named("Event")), next=maybe({"type": "integer"}))},
        query=("after", "limit"),
        waits=True,
        streams=True,
    ),
    "POST /-/transactions/{id}/events": Described(
        summary="An upstream reports progress, or the end, with its token.",
        answers={200: table(id=of.TEXT, status=of.words(Status), sequence=of.COUNT)},
        body=of.REPORT,
        refusals=(409, 413),
    ),
    "POST /-/transactions/{id}/cancel": Described(
        summary="Takes it back, if it is not too late.", answers={200: named("Transaction")}, refusals=(409,)
    ),
    "POST /-/transactions/{id}/retry": Described(
        summary="The same request again, as a new transaction.",
        answers={202: named("Transaction")},
        refusals=(409, 410, 413, 422, 429),
        key=True,
        gives="id",
    ),
    "POST /-/transactions/{id}/resolve": Described(
        summary="Settles an outcome that is not known, by hand.",
        answers={200: named("Transaction")},
        body=of.RESOLUTION,
        refusals=(409, 413),
    ),
    "GET /-/events": Described(
        summary="What went on with all transactions, in the order of commits.",
        answers={200: table(events=some(named("Told")), next=maybe({"type": "string"}))},
        query=FEED,
        waits=True,
        streams=True,
    ),
    "GET /-/endpoints": Described(
        summary="Where webhooks go.", answers={200: table(endpoints=some(named("Endpoint")))}, query=ENDPOINTS
    ),
    "POST /-/endpoints": Described(
        summary="Makes an endpoint; its secret is shown once.",
        answers={201: named("Endpoint")},
        body=of.NEW_ENDPOINT,
        refusals=(409, 413, 429),
    ),
    "GET /-/endpoints/{id}": Described(summary="An endpoint.", answers={200: named("Endpoint")}),
    "PATCH /-/endpoints/{id}": Described(
        summary="Changes it.", answers={200: named("Endpoint")}, body=of.CHANGED_ENDPOINT, refusals=(413,)
    ),
    "DELETE /-/endpoints/{id}": Described(
        summary="Forgets it, and what waits for it.", answers={204: None}, refusals=(409,)
    ),
    "POST /-/endpoints/{id}/rotate": Described(
        summary="A new secret, shown once; the one before signs too for a while.",
        answers={200: named("Endpoint")},
        body=of.ROTATION,
        body_needed=False,
        refusals=(413, 429),
    ),
    "GET /-/endpoints/{id}/secret": Described(
        summary="The secret that callbacks are signed with.",
        answers={200: table(id=of.TEXT, secret=of.TEXT)},
    ),
    "POST /-/endpoints/{id}/test": Described(
        summary="Sends something there now.", answers={202: named("Delivery")}, refusals=(409,)
    ),
    "GET /-/endpoints/{id}/deliveries": Described(
        summary="What was sent there, the newest first.",
        answers={200: a_page("deliveries", "Delivery")},
        query=webhooks.LISTED,
    ),
    "POST /-/endpoints/{id}/replay": Described(
        summary="Sends what fits once more: dead deliveries, unless told otherwise.",
        answers={202: table(replayed=of.COUNT, more=of.FLAG)},
        body=of.REPLAY,
        body_needed=False,
        refusals=(413,),
    ),
    "GET /-/deliveries/{id}": Described(
        summary="A delivery with its attempts.", answers={200: named("Delivery")}
    ),
    "POST /-/deliveries/{id}/replay": Described(
        summary="Sends it once more.", answers={202: named("Delivery")}, refusals=(409,)
    ),
    "GET /-/keys": Described(
        summary="Access keys, the newest first.", answers={200: a_page("keys", "Key")}, query=keys.LISTED
    ),
    "POST /-/keys": Described(
        summary="Makes a key, which is shown once.",
        answers={201: named("Key")},
        body=of.NEW_KEY,
        refusals=(413,),
    ),
    "POST /-/keys/{id}/revoke": Described(summary="Ends a key at once.", answers={200: named("Key")}),
    "GET /-/upstreams": Described(
        summary="What the upstreams have to do.", answers={200: table(upstreams=some(named("Upstream")))}
    ),
    "POST /-/upstreams/{id}/pause": Described(
        summary="Sends it nothing more until it is resumed.", answers={200: named("Upstream")}
    ),
    "POST /-/upstreams/{id}/resume": Described(summary="Goes on with it.", answers={200: named("Upstream")}),
    "GET /-/store": Described(summary="How the store is.", answers={200: named("Store")}),
    "GET /-/metrics": Described(summary="Figures, for Prometheus.", answers={}, verbatim=True),
    "GET /-/healthz": Described(summary="The process lives.", answers={200: OK}),
    "GET /-/readyz": Described(summary="Requests would be accepted.", answers={200: OK}),
    "GET /-/openapi.json": Described(summary="This document.", answers={200: of.OBJECT}),
    "GET /-/docs": Described(summary="The same for people.", answers={}, verbatim=True),
}
"""Below `/-/`."""

TASK_CALLS: dict[str, tuple[Need, Described]] = {
    f"GET {STATUS}{{id}}": (
        READ,
        Described(
            summary="How a task stands.",
            answers={200: of.TASK_STATUS, 404: of.TASK_UNKNOWN, 502: of.MESSAGE, 504: of.MESSAGE},
            waits=True,
        ),
    ),
    f"DELETE {STATUS}{{id}}": (
        SUBMIT,
        Described(
            summary="Takes it back, if it is not too late.",
            answers={200: of.TASK_CANCELLED, 404: of.TASK_UNKNOWN},
            refusals=(409,),
        ),
    ),
    f"GET {RESULT}{{id}}": (
        READ,
        Described(
            summary="The upstream's answer as it came; an error once.",
            answers={404: of.TASK_UNKNOWN, 425: of.TASK_RUNNING, 502: of.MESSAGE, 504: of.MESSAGE},
            waits=True,
            verbatim=True,
        ),
    ),
    "POST /async/{path}": (
        SUBMIT,
        Described(
            summary="Any method, any path: stored, and run in the background.",
            answers={202: of.TASK, 200: of.TASK},
            refusals=(404, 413, 422, 429),
            key=True,
            gives="request_id",
        ),
    ),
}
"""Dialect `task`."""


BROKEN = frozenset(BROKEN_CODES.values())
"""Where the work itself broke. The same codes may be the upstream's answer, which has none of our fields."""

LED_TO = (
    "get_transactions_id",
    "get_transactions_id_result",
    "get_transactions_id_events",
    "post_transactions_id_cancel",
    "get_async_status_id",
    "get_async_result_id",
    "delete_async_status_id",
)
"""What can be asked with the id of what was accepted."""


def document(policy: Policy) -> dict[str, Any]:
    """The description of a server with this policy: with the transactions paths of its routes."""
    paths: dict[str, dict[str, Any]] = {}
    calls = [(name, NATIVE[name], described) for name, described in CALLS.items()]
    calls += [(name, need, described) for name, (need, described) in TASK_CALLS.items()]
    calls += [(name, READ, described) for name, described in _audiences(policy, policy.limits.page)]
    schemas = dict(of.COMPONENTS)
    for name, described, documents in declared(policy):
        calls.append((name, SUBMIT, described))
        schemas |= documents
    for name, need, described in calls:
        method, path = name.split(" ", 1)
        paths.setdefault(path, {})[method.lower()] = _operation(name, need, described, policy)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Restante",
            "version": __version__,
            "summary": "Keeps an HTTP API's answers until they are called for.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "Restante-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _audiences(policy: Policy, page: int) -> Iterable[tuple[str, Described]]:
    """Dialect `transaction`: the paths of the settings."""
    there = {route.transactions for route in policy.routes if route.dialect is Dialect.TRANSACTION}
    for path in sorted(filter(None, there)):
        query = (*transaction.FILTERS, "_limit", "_offset")
        yield (
            f"GET {path}",
            Described(summary="Lists transactions.", answers={200: of.SEED_LIST}, query=query),
        )
        yield (
            f"GET {path}/{{id}}",
            Described(
                summary="A transaction with its events.",
                answers={200: named("SellerTransaction")},
                waits=True,
            ),
        )


def _operation(name: str, need: Need, described: Described, policy: Policy) -> dict[str, Any]:
    method, path = name.split(" ", 1)
    scopes = sorted(need.scopes)
    operation: dict[str, Any] = {
        "operationId": "_".join(
            [method.lower(), *(part.strip("{}") for part in path.split("/") if part not in ("", "-"))]
        ),
        "summary": described.summary,
        "tags": [path.strip("/").split("/")[1 if path.startswith("/-/") else 0]],
        "security": [{scheme: []} for scheme in ("key", "bearer", "basic")] if scopes else [],
        "parameters": [*_parameters(path, described, policy)],
        "responses": _responses(name, need, described),
    }
    if scopes:
        operation["description"] = "Needs the scope " + " or ".join(f"`{scope}`" for scope in scopes)
        operation["description"] += " of the tenant `*`." if need.all else "."
    if described.result is not None:
        operation["x-restante-result"] = described.result
    if described.body is not None:
        content = {JSON: {"schema": described.body}}
        operation["requestBody"] = {"required": described.body_needed, "content": content}
    elif path == "/async/{path}":
        operation["requestBody"] = {"required": False, "content": {ANYTHING: {}}}
    return operation


def _parameters(path: str, described: Described, policy: Policy) -> Iterable[dict[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield {
                "name": part[1:-1],
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
            }
    yield from described.parameters
    for name in described.query:
        yield {"name": name, "in": "query", "schema": _parameter(path, name, policy)}
    if described.waits:
        yield _field(
            "Prefer", "`wait=N`: the answer is held back for N seconds at most, 20 altogether", "wait=1"
        )
    if described.key:
        yield _field(
            "Idempotency-Key", "the same key and the same request are the same transaction", "order-7"
        )


def _parameter(path: str, name: str, policy: Policy) -> Schema:
    match name:
        case "limit" if path.endswith("/{id}/events"):
            return {"type": "integer", "minimum": 1, "maximum": EVENTS}
        case "limit" | "_limit":
            return {"type": "integer", "minimum": 1, "maximum": policy.limits.page}
        case "_offset":
            return {"type": "integer", "minimum": 0, "maximum": transaction.MAX_OFFSET}
        case "_sort":
            return of.words(tuple(transaction.SORTS))
        case "after" if path.endswith("/{id}/events"):
            most = 10**MAX_DIGITS - 1
            return {"type": "integer", "minimum": 0, "maximum": most, "description": "the number of an event"}
        case "after" if path == "/-/transactions":
            return of.PARAMETERS[name] | {"pattern": ID}
        case _:
            return of.PARAMETERS[name]


def _field(name: str, meaning: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "description": meaning,
        "schema": {"type": "string"},
        "example": example,
    }


def _responses(name: str, need: Need, described: Described) -> dict[str, Any]:
    path = name.split(" ", 1)[1]
    ours = path.startswith("/-/")
    found: dict[str, Any] = {}
    for code, schema in described.answers.items():
        found[str(code)] = _response(code, None if schema is None else {JSON: {"schema": schema}})
        if code in BROKEN:
            found[str(code)]["headers"] = of.HOW_IT_BROKE
    if described.gives:
        found["202"]["links"] = {
            operation: {"operationId": operation, "parameters": {"id": f"$response.body#/{described.gives}"}}
            for operation in LED_TO
        }
    if described.streams:
        found["200"]["content"][STREAM] = {"schema": {"type": "string"}}
        found["204"] = _response(204, None)
    codes = {400, 503, *described.refusals}
    codes |= {401, 403} if need.scopes else set()
    codes |= {404} if "{id}" in path else set()
    problem = {PROBLEM: {"schema": named("Problem")}} if ours else {JSON: {"schema": named("Message")}}
    if need is not OPEN or name.startswith("POST"):
        for code in sorted(codes):
            found.setdefault(str(code), _response(code, problem))
    else:
        found.setdefault("503", _response(503, problem))
    if described.verbatim:
        found["default"] = {"description": "As it came.", "content": {ANYTHING: {}}}
    return found


def _response(code: int, content: dict[str, Any] | None) -> dict[str, Any]:
    described = {"description": HTTPStatus(code).phrase}
    return described if content is None else {**described, "content": content}
