"""What is spelled in this room, as JSON Schemas (draft 2020-12): documents that are answered, bodies that are
read.

Words and bounds are those of the code that checks them. That the rest is true is shown by fuzzing: every
answer is held against its schema, and every body that a schema forbids must be refused (tests/fuzz).
"""

from enum import StrEnum
from typing import Any

from ..core.access import EVERYBODY, TENANT, Scope
from ..core.delivery import State
from ..core.endpoint import Detail, Signature
from ..core.status import Dialect, EventKind, Outcome, Status
from . import keys, native, webhooks
from .parameters import MAX_VALUE, OPERATIONS
from .report import MAX_BY, MAX_FIELDS, MAX_MESSAGE

Schema = dict[str, Any]

DURATION: Schema = {
    "type": "string",
    "pattern": "^[0-9]{1,13}(ms|s|m|h|d)$",
    "description": "such as `500ms`, `3s`, `5m`, `24h`, `30d`",
}
TEXT: Schema = {"type": "string"}
VISIBLE = "^[!-9;-~]+$"
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
DAY_OR_MOMENT: Schema = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
COUNT: Schema = {"type": "integer", "minimum": 0}
OBJECT: Schema = {"type": "object"}


def words(kind: type[StrEnum] | tuple[str, ...]) -> Schema:
    """One of these."""
    return {"type": "string", "enum": [str(word) for word in kind]}


def text(longest: int, *, shape: str = "", least: int = 1) -> Schema:
    """Some characters."""
    return {"type": "string", "minLength": least, "maxLength": longest} | (
        {"pattern": shape} if shape else {}
    )


def some(schema: Schema, **bounds: int) -> Schema:
    """A list of them."""
    return {"type": "array", "items": schema, **bounds}


def maybe(schema: Schema) -> Schema:
    """It, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def table(*optional: str, **fields: Schema) -> Schema:
    """An object of just these fields, all there but for the `optional` ones."""
    required = [name for name in fields if name not in optional]
    return {
        "type": "object",
        "properties": fields,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def named(name: str) -> Schema:
    """That one of `COMPONENTS`."""
    return {"$ref": f"#/components/schemas/{name}"}


CODE: Schema = {"type": "integer", "minimum": 100, "maximum": 599}

EVENT = table(
    sequence={"type": "integer", "minimum": 1},
    event=words(EventKind),
    message=TEXT,
    data=OBJECT,
    status=words(Status),
    created_at=MOMENT,
)

TRANSACTION = table(
    "events",
    id={"type": "string", "format": "uuid"},
    code=text(8, shape="^[0-9A-F]{8}$"),
    status=words(Status),
    outcome=maybe(words(Outcome)),
    operation=TEXT,
    trigger_endpoint=TEXT,
    tracking_id=maybe(TEXT),
    tenant=TEXT,
    dialect=words(Dialect),
    method=TEXT,
    path=TEXT,
    query=TEXT,
    upstream=TEXT,
    priority={"type": "integer"},
    attempt=COUNT,
    retry_of=maybe(TEXT),
    sequence={"type": "integer", "minimum": 1},
    created_at=MOMENT,
    updated_at=MOMENT,
    due_at=maybe(MOMENT),
    waiting=maybe(TEXT),
    deadline=MOMENT,
    expires_at=MOMENT,
    result=maybe(table(status=CODE, kept=FLAG, read=FLAG)),
    events=some(named("Event")),
)

FILTERS = table(
    status={"anyOf": [{"const": webhooks.ANY}, some(words(Status), minItems=1)]},
    operation=some(words(OPERATIONS)),
    trigger_endpoint=some(TEXT),
)

ENDPOINT = table(
    "secret",
    "public_key",
    "second_public_key",
    id=TEXT,
    url=maybe(TEXT),
    active=FLAG,
    reason=maybe(TEXT),
    filters=FILTERS,
    payload=words(Detail),
    signature=words(Signature),
    failing_since=maybe(MOMENT),
    second_secret_until=maybe(MOMENT),
    created_at=MOMENT,
    updated_at=MOMENT,
    secret={"type": "string", "description": "shown once"},
    public_key=maybe(TEXT),
    second_public_key=maybe(TEXT),
)

ATTEMPT = table(
    number={"type": "integer", "minimum": 1},
    at=MOMENT,
    duration_ms=COUNT,
    outcome=TEXT,
    code=maybe(CODE),
    reason=TEXT,
    answer=TEXT,
)

DELIVERY = table(
    "log",
    id=TEXT,
    endpoint=TEXT,
    url=maybe(TEXT),
    transaction=maybe(TEXT),
    sequence=maybe(COUNT),
    state=words(State),
    attempts=COUNT,
    code=maybe(CODE),
    due_at=maybe(MOMENT),
    created_at=MOMENT,
    ended_at=maybe(MOMENT),
    log=some(ATTEMPT),
)

KEY = table(
    "key",
    id=TEXT,
    tenant=TEXT,
    scopes=some(words(Scope)),
    good=FLAG,
    created_at=MOMENT,
    expires_at=maybe(MOMENT),
    revoked_at=maybe(MOMENT),
    key={"type": "string", "description": "shown once"},
)

UPSTREAM = table(name=TEXT, url=maybe(TEXT), running=COUNT, queued=COUNT, paused=FLAG)

STORE = table(
    queued=COUNT,
    seen_at=MOMENT,
    alarms=some(TEXT),
    measures={
        "type": "object",
        "additionalProperties": table(value={"type": "integer"}, limit=maybe({"type": "integer"})),
    },
)

TOLD = table(type=TEXT, timestamp=MOMENT, data=OBJECT)
"""An entry of the feed, as webhooks tell it."""

PROBLEM = table(
    "field",
    type=text(200, shape="^urn:restante:problem:[a-z-]+$"),
    title=TEXT,
    status=CODE,
    detail=TEXT,
    instance=TEXT,
    field=TEXT,
)
"""RFC 9457: the errors below `/-/`."""

MESSAGE = table("field", message=TEXT, field=TEXT)
"""The errors everywhere else."""

HOW_IT_BROKE: Schema = {
    "Restante-Outcome": {
        "description": "how the work broke",
        "schema": words(tuple(outcome for outcome in Outcome if outcome is not Outcome.ANSWERED)),
    },
    "Restante-Outcome-Unknown": {
        "description": "whether an attempt may have been done all the same",
        "schema": words(("true", "false")),
    },
}
"""Fields of a 502 or 504 of ours."""

# -- dialect `task` (seed 000)

TASK_ID: Schema = {"request_id": TEXT}
TASK = table(status={"const": "processing"}, **TASK_ID, status_url=TEXT, response_url=TEXT)
TASK_RUNNING = table("status_url", "response_url", **TASK["properties"])
TASK_STATUS = {
    "anyOf": [
        table(status={"const": "processing"}, **TASK_ID),
        table(status={"const": "completed"}, **TASK_ID, response_url=TEXT),
        table(status={"const": "cancelled"}, **TASK_ID),
    ]
}
TASK_CANCELLED = table(status={"const": "cancelled"}, **TASK_ID)
TASK_UNKNOWN = table(status={"const": "unknown"}, **TASK_ID)

# -- dialect `transaction` (seed 004)

NAIVE = text(26, shape=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$")
SEED_EVENT = table(event=words(EventKind), message=TEXT, data=OBJECT, status=words(Status), created_at=NAIVE)
SEED_TRANSACTION = table(
    created_at=NAIVE,
    updated_at=NAIVE,
    id={"type": "string", "format": "uuid"},
    code=TEXT,
    operation=TEXT,
    trigger_endpoint=TEXT,
    status=words(Status),
    events=some(SEED_EVENT),
)
SEED_LIST = table(
    meta=table(
        page=table(limit=COUNT, offset=COUNT, count=COUNT, max_limit=COUNT),
        links=table(previous=maybe(TEXT), self=TEXT, next=maybe(TEXT)),
    ),
    results=some(SEED_TRANSACTION),
)

# -- bodies that are read

NEW_FILTERS = table(
    *webhooks.FILTERS,
    status=maybe(FILTERS["properties"]["status"]),
    operation=maybe(some(words(OPERATIONS))),
    trigger_endpoint=maybe(
        some(text(webhooks.MAX_PATTERN, shape=r"^[^*]*\*?$"), maxItems=webhooks.MAX_PATTERNS)
    ),
)
URL: Schema = {"type": "string", "format": "uri", "examples": ["https://shop.example/webhooks"]}
_PLAIN: dict[str, Schema] = {"url": URL, "filters": NEW_FILTERS, "payload": words(Detail)}
_NEW = {name: schema if name == "url" else maybe(schema) for name, schema in _PLAIN.items()}
NEW_ENDPOINT = {
    "anyOf": [
        table(*webhooks.NEW_FIELDS[1:], **_NEW, signature=maybe(words((Signature.STANDARD,)))),
        table(
            *webhooks.NEW_FIELDS[1:3],
            **_NEW,
            signature=words((Signature.CONTENT,)),
            username=text(webhooks.MAX_CREDENTIAL, shape=VISIBLE),
            password=text(webhooks.MAX_CREDENTIAL, shape=VISIBLE),
        ),
    ]
}
_CHANGES: dict[str, Schema] = {**_PLAIN, "active": FLAG}
CHANGED_ENDPOINT = table(*webhooks.FIELDS, **{name: maybe(schema) for name, schema in _CHANGES.items()}) | {
    "anyOf": [
        {"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in webhooks.FIELDS
    ]
}
ROTATION = table("keep", keep=maybe(DURATION))
REPLAY = table(
    "state",
    "created_from",
    "created_to",
    state=maybe(words((State.DEAD, State.DELIVERED))),
    created_from=maybe(DAY_OR_MOMENT),
    created_to=maybe(DAY_OR_MOMENT),
)
NEW_KEY = table(
    *keys.FIELDS[2:],
    tenant={"type": "string", "pattern": f"^({TENANT.pattern}|\\{EVERYBODY})$"},
    scopes=some(words(Scope), minItems=1),
    expires=maybe(DURATION),
)
_SAID: dict[str, Schema] = {
    "headers": {
        "anyOf": [
            {"type": "object", "additionalProperties": TEXT, "maxProperties": MAX_FIELDS},
            some(some(TEXT, minItems=2, maxItems=2), maxItems=MAX_FIELDS),
            {"type": "null"},
        ]
    },
    "body": {"description": "JSON, or text"},
    "body_base64": TEXT,
}


def ended(status: Status, fields: dict[str, Schema], *optional: str) -> Schema:
    """What says that it has ended so, with a result whose code fits."""
    least, most = (200, 299) if status is Status.COMPLETED else (300, 599)
    code: Schema = {"type": "integer", "minimum": least, "maximum": most}
    result = maybe(table("status", *_SAID, status=code, **_SAID))
    return table("result", *optional, status={"const": str(status)}, result=result, **fields)


_PROGRESS: dict[str, Schema] = {"message": maybe(text(MAX_MESSAGE)), "data": maybe(OBJECT)}
_ENDS = (Status.COMPLETED, Status.FAILED)
REPORT = {
    "anyOf": [
        table("data", message=text(MAX_MESSAGE), data=maybe(OBJECT)),
        table("message", **{**_PROGRESS, "data": OBJECT}),
        *(ended(status, _PROGRESS, *_PROGRESS) for status in _ENDS),
    ]
}
_BY_HAND: dict[str, Schema] = {"reason": text(MAX_MESSAGE), "by": maybe(text(MAX_BY))}
RESOLUTION = {"anyOf": [ended(status, _BY_HAND, "by") for status in _ENDS]}

COMPONENTS: dict[str, Schema] = {
    "Transaction": TRANSACTION,
    "Event": EVENT,
    "Endpoint": ENDPOINT,
    "Delivery": DELIVERY,
    "Key": KEY,
    "Upstream": UPSTREAM,
    "Store": STORE,
    "Told": TOLD,
    "Problem": PROBLEM,
    "Message": MESSAGE,
    "SellerTransaction": SEED_TRANSACTION,
}

PARAMETERS: dict[str, Schema] = {
    "status": words(("", *Status)),
    "operation": words(("", *OPERATIONS)),
    "state": words(("", *State)),
    **{name: text(MAX_VALUE, least=0) for name in ("trigger_endpoint", "tracking_id", "tenant")},
    **{
        name: {"type": "string", "anyOf": [*DAY_OR_MOMENT["anyOf"], {"const": ""}], "description": which}
        for names, which in (
            (("created_from", "created_at_gte"), "from then on"),
            (("created_to", "created_at_lte"), "until then"),
        )
        for name in names
    },
    "after": text(MAX_VALUE, least=0) | {"description": "the `next` of an earlier answer"},
}
"""Of lists, by name. An empty one counts as not given."""

assert {*native.NAMES, *webhooks.LISTED} - {"limit"} <= PARAMETERS.keys()
