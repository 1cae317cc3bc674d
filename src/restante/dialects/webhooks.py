"""Endpoints, deliveries and the feed as the native API spells them. Bodies are read strictly: every field
that is wrong is named, and so is every one that there is not."""

from typing import Any

import msgspec

from ..core.clock import DAY
from ..core.delivery import Attempt, Delivery, Sought, State
from ..core.duration import FORM as DURATION_FORM
from ..core.duration import parse_duration
from ..core.endpoint import ANY_STATUS, ENDS, ROTATION, Detail, Endpoint, Filters, Signature
from ..core.errors import BadRequest
from ..core.pointer import decode
from ..core.status import Status
from .moments import zulu
from .parameters import OPERATIONS, Parameters

MAX_PATTERNS = 50
MAX_CREDENTIAL = 255
MAX_PATTERN = 255
LONGEST_ROTATION = 30 * DAY
DEFAULT_LIMIT = 50
ANY = "all"

FIELDS = ("url", "filters", "payload", "active")
NEW_FIELDS = ("url", "filters", "payload", "signature", "username", "password")
FILTERS = ("status", "operation", "trigger_endpoint")
LISTED = ("state", "created_from", "created_to", "limit", "after")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of an endpoint; None: nothing."""

    url: str | None = None
    filters: Filters | None = None
    payload: Detail | None = None
    signature: Signature | None = None
    username: str | None = None
    password: str | None = None
    active: bool | None = None


def read_new(body: bytes) -> Wish:
    """An endpoint that is to be made; raises `BadRequest` naming the field."""
    wish = _wish(_object(body, NEW_FIELDS))
    if wish.url is None:
        raise BadRequest("url is missing: where webhooks go", field="url")
    given = wish.username is not None or wish.password is not None
    if wish.signature is Signature.CONTENT and (wish.username is None or wish.password is None):
        raise BadRequest("signature content needs username and password, the shop's", field="username")
    for name, text in (("username", wish.username), ("password", wish.password)):
        if text is not None and (len(text) > MAX_CREDENTIAL or (name == "username" and ":" in text)):
            what = f"{name} must have at most {MAX_CREDENTIAL} characters, and a username no colon"
            raise BadRequest(what, field=name)
    if given and wish.signature is not Signature.CONTENT:
        raise BadRequest("username and password go with signature content only", field="username")
    return wish


def read_change(body: bytes) -> Wish:
    """What is to be changed of one; raises `BadRequest` naming the field."""
    given = _object(body, FIELDS)
    if not given:
        raise BadRequest(f"Say what is to be changed: {', '.join(FIELDS)}.", field="body")
    return _wish(given)


def read_rotation(body: bytes) -> int:
    """For how long the secret before goes on signing; raises `BadRequest`."""
    keep = _object(body or b"{}", ("keep",)).get("keep")
    if keep is None:
        return ROTATION
    try:
        span = parse_duration(keep if isinstance(keep, str) else "")
    except ValueError:
        span = LONGEST_ROTATION + 1
    if span > LONGEST_ROTATION:
        raise BadRequest(f"keep must be {DURATION_FORM}, 30d at most", field="keep")
    return span


def read_nothing(body: bytes, query: str) -> None:
    """Of a call that takes neither parameters nor fields; raises `BadRequest` naming what there is."""
    Parameters(query, ())
    _object(body or b"{}", ())


def read_replay(body: bytes, endpoint: str) -> Sought:
    """Which deliveries are to be made again; without a state the dead ones. Raises `BadRequest`."""
    given = _object(body or b"{}", ("state", "created_from", "created_to"))
    query = Parameters("", LISTED)
    for name, value in given.items():
        if not isinstance(value, str):
            raise BadRequest(f"{name} must be text", field=name)
        query.given[name] = value
    state = _state(query) or State.DEAD
    if state not in (State.DEAD, State.DELIVERED):
        raise BadRequest("state must be dead or delivered", field="state")
    return Sought(
        endpoint=endpoint,
        state=state,
        created_from=query.moment("created_from"),
        created_to=query.moment("created_to", end=True),
    )


def listing(query: str, *, endpoint: str, max_limit: int) -> Sought:
    """A list's parameters; raises `BadRequest` naming the one that is wrong."""
    given = Parameters(query, LISTED)
    return Sought(
        endpoint=endpoint,
        state=_state(given),
        created_from=given.moment("created_from"),
        created_to=given.moment("created_to", end=True),
        limit=given.number("limit", min(DEFAULT_LIMIT, max_limit), least=1, most=max_limit),
        after=given.text("after"),
    )


def with_secret(one: Endpoint, shown: str, *, now: int) -> dict[str, Any]:
    """An endpoint with its new secret, which is shown this once; a key's secret part never is."""
    secret = {} if one.signature is Signature.CONTENT else {"secret": shown}
    return {**endpoint(one, now=now), **secret}


def endpoint(one: Endpoint, *, now: int) -> dict[str, Any]:
    """An endpoint, without anything secret."""
    rotating = one.is_rotating(now)
    keys = (*one.public_keys[: 1 + rotating], None, None)
    public = {"public_key": keys[0], "second_public_key": keys[1]}
    return {
        "id": one.id,
        "url": one.url,
        "active": one.active,
        "reason": one.reason,
        "filters": {
            "status": ANY if set(one.filters.status) == set(ANY_STATUS) else one.filters.status,
            "operation": one.filters.operation,
            "trigger_endpoint": one.filters.trigger_endpoint,
        },
        "payload": one.payload,
        "signature": one.signature,
        "failing_since": None if one.failing_since is None else zulu(one.failing_since),
        "second_secret_until": zulu(one.retire_at) if one.retire_at is not None and rotating else None,
        **(public if one.signature is Signature.CONTENT else {}),
        "created_at": zulu(one.created_at),
        "updated_at": zulu(one.updated_at),
    }


def delivery(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "endpoint": one.endpoint,
        "url": one.url,
        "transaction": one.transaction,
        "sequence": one.sequence or None,
        "state": one.state,
        "attempts": one.attempt,
        "code": one.code,
        "due_at": None if one.due_at is None else zulu(one.due_at),
        "created_at": zulu(one.created_at),
        "ended_at": None if one.ended_at is None else zulu(one.ended_at),
    }


def attempt(one: Attempt) -> dict[str, Any]:
    """`answer` as text: what no UTF-8 stands for is replaced."""
    return {
        "number": one.number,
        "at": zulu(one.at),
        "duration_ms": one.duration // 1000,
        "outcome": one.carried,
        "code": one.code,
        "reason": one.reason,
        "answer": one.answer.decode("utf-8", "replace"),
    }


def _wish(given: dict[str, Any]) -> Wish:
    return Wish(
        url=_text(given, "url"),
        filters=_filters(given["filters"]) if "filters" in given else None,
        payload=_choice(given, "payload", Detail),
        signature=_choice(given, "signature", Signature),
        username=_text(given, "username"),
        password=_text(given, "password"),
        active=_flag(given, "active"),
    )


def _object(body: bytes, names: tuple[str, ...]) -> dict[str, Any]:
    document = decode(body)
    if not isinstance(document, dict):
        raise BadRequest("The body must be a JSON object.", field="body")
    return _known(document, names, "")


def _known(document: dict[str, Any], names: tuple[str, ...], place: str) -> dict[str, Any]:
    for name in document:
        if name not in names:
            named = f"{place}{name[:50]}"
            what = f"is not one of {', '.join(names)}" if names else "is too much: this call takes no fields"
            raise BadRequest(f"{named} {what}", field=named)
    return {name: value for name, value in document.items() if value is not None}


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not (isinstance(value, str) and value.strip() and value.isprintable()):
        raise BadRequest(f"{name} must be text", field=name)
    return value


def _flag(given: dict[str, Any], name: str) -> bool | None:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{name} must be true or false", field=name)
    return value


def _choice(given: dict[str, Any], name: str, words: Any) -> Any:
    value = given.get(name)
    if value is None:
        return None
    if value not in list(words):
        raise BadRequest(f"{name} must be {' or '.join(words)}", field=name)
    return words(value)


def _filters(value: object) -> Filters:
    if not isinstance(value, dict):
        raise BadRequest("filters must be an object", field="filters")
    given = _known(value, FILTERS, "filters.")
    return Filters(
        status=_statuses(given.get("status")),
        operation=_words(given, "operation", OPERATIONS),
        trigger_endpoint=_patterns(given),
    )


def _statuses(value: object) -> tuple[Status, ...]:
    if value is None:
        return ENDS
    if value == ANY:
        return ANY_STATUS
    if isinstance(value, list) and value and all(one in list(Status) for one in value):
        return tuple(dict.fromkeys(map(Status, value)))
    raise BadRequest(
        f"filters.status must be {ANY}, or a list of {', '.join(Status)}", field="filters.status"
    )


def _words(given: dict[str, Any], name: str, words: tuple[str, ...]) -> tuple[str, ...]:
    value = given.get(name, [])
    if isinstance(value, list) and all(one in words for one in value):
        return tuple(dict.fromkeys(value))
    raise BadRequest(f"filters.{name} must be a list of {', '.join(words)}", field=f"filters.{name}")


def _patterns(given: dict[str, Any]) -> tuple[str, ...]:
    value = given.get("trigger_endpoint", [])
    if isinstance(value, list) and len(value) <= MAX_PATTERNS and all(map(_is_pattern, value)):
        return tuple(one.removeprefix("/") for one in value)
    raise BadRequest(
        f"filters.trigger_endpoint must be a list of up to {MAX_PATTERNS} paths of printable characters; "
        "one * may stand at the end, for the rest",
        field="filters.trigger_endpoint",
    )


def _is_pattern(value: object) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_PATTERN:
        return False
    return value.isprintable() and "*" not in value[:-1]


def _state(given: Parameters) -> State | None:
    value = given.given.get("state")
    if value is None:
        return None
    if value not in list(State):
        raise BadRequest(f"state must be one of {', '.join(State)}", field="state")
    return State(value)
