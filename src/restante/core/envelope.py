"""One pass over a request's header fields: what goes on to the upstream, and what is meant for us.

Dropped are the hop-by-hop fields, the framing (it is made anew for the connection to the upstream) and
everything that begins with `Restante-` (so that nobody can forge what the upstream sees from us). So are
names that are one of these but for underscores: what reads fields as CGI does (RFC 3875 §4.1.18) takes both
for one variable.
"""

import re
from collections.abc import Sequence

import msgspec

from .duration import FORM, parse_duration
from .errors import BadRequest
from .headers import HOP_BY_HOP
from .model import Headers

MAX_PRIORITY = 100
MAX_TRACKING_ID = 255
MAX_LENGTH_DIGITS = 18  # of a Content-Length: what every reader takes for the same number
OURS = b"restante-"

_SPECIAL = HOP_BY_HOP | {
    b"authorization",
    b"content-length",
    b"expect",
    b"host",
    b"idempotency-key",
    b"requestid",
}


class Envelope(msgspec.Struct, kw_only=True):
    """What was found. `kept` holds the caller's `Host` too, for upstreams that want it."""

    kept: Headers
    host: bytes = b""
    authorization: bytes = b""
    idempotency_key: bytes | None = None
    idempotency_header: str = ""
    length: int | None = None
    delay: int = 0
    deadline: int | None = None
    priority: int | None = None
    tracking_id: str | None = None
    callback: str | None = None


def open_envelope(headers: Sequence[tuple[bytes, bytes]]) -> Envelope:
    """Sorts `headers` (names in lower case). Raises `BadRequest` naming the field that is wrong."""
    kept = []
    found: dict[bytes, bytes] = {}
    options: list[tuple[bytes, bytes]] = []
    for pair in headers:
        name = pair[0]
        if name not in _SPECIAL:
            if name.startswith(OURS):
                options.append(pair)
            elif b"_" not in name:
                kept.append(pair)
            elif (plain := name.replace(b"_", b"-")).startswith(OURS):
                options.append((plain if plain in TOLD else name, pair[1]))
            elif plain not in _SPECIAL:
                kept.append(pair)
            continue
        if name not in _UNFORWARDED:
            kept.append(pair)
        value = pair[1]
        if name in found:
            if name in _ONCE:
                raise BadRequest(f"{_ONCE[name]} must be given once", field=_ONCE[name])
            if name == b"connection":
                value = found[name] + b"," + value
        found[name] = value
    if b"connection" in found:
        named = {token.strip().lower() for token in found[b"connection"].split(b",")} - _NEVER_NAMED
        if named:
            kept = [pair for pair in kept if pair[0] not in named]
    envelope = Envelope(kept=tuple(kept), host=found.pop(b"host", b""))
    for name, value in found.items():
        match name:
            case b"content-length":
                envelope.length = _length(value)
            case b"authorization":
                envelope.authorization = value
            case b"idempotency-key":
                envelope.idempotency_key = value
                envelope.idempotency_header = "Idempotency-Key"
            case b"requestid" if b"idempotency-key" not in found:
                envelope.idempotency_key = value
                envelope.idempotency_header = "RequestID"
    if options:
        seen: set[bytes] = set()
        for name, value in options:
            _option(envelope, name, value, seen)
    return envelope


OPTIONS = {
    b"restante-delay": "Restante-Delay",
    b"restante-deadline": "Restante-Deadline",
    b"restante-priority": "Restante-Priority",
    b"restante-tracking-id": "Restante-Tracking-Id",
    b"restante-callback-url": "Restante-Callback-Url",
}

TOLD = frozenset(
    {
        b"restante-attempt",
        b"restante-completion",
        b"restante-events-token",
        b"restante-events-url",
        b"restante-key",
        b"restante-mask",
        b"restante-status",
        b"restante-transaction",
    }
)
"""Fields that another Restante adds, where one stands behind the other: they are dropped."""

_WHOLE = re.compile(r"-?[0-9]{1,3}")
_ONCE = {b"host": "Host", b"idempotency-key": "Idempotency-Key"}
_UNFORWARDED = HOP_BY_HOP | {b"content-length", b"expect"}
_NEVER_NAMED = frozenset({b"close", b"keep-alive", b"host", b"content-length"})


def _length(raw: bytes) -> int:
    digits = raw if raw.isdigit() else raw.strip(b" \t")
    if not digits.isdigit() or len(digits) > MAX_LENGTH_DIGITS:
        raise BadRequest(
            f"Content-Length must be a number of at most {MAX_LENGTH_DIGITS} digits", field="Content-Length"
        )
    return int(digits)


def _option(envelope: Envelope, name: bytes, raw: bytes, seen: set[bytes]) -> None:
    """Request options (contract, *Request options*). Misspelt, one would be missed in silence."""
    text = raw.decode("latin-1").strip()
    spelled = OPTIONS.get(name)
    if spelled is None:
        if name in TOLD:
            return
        raise BadRequest("There is no such request option.", field=name.decode("latin-1"))
    if name in seen:
        raise BadRequest(f"{spelled} must be given once", field=spelled)
    seen.add(name)
    match name:
        case b"restante-delay":
            envelope.delay = _span("Restante-Delay", text)
        case b"restante-deadline":
            envelope.deadline = _span("Restante-Deadline", text)
            if envelope.deadline == 0:
                raise BadRequest("Restante-Deadline must be longer than 0", field="Restante-Deadline")
        case b"restante-priority":
            envelope.priority = _priority(text)
        case b"restante-tracking-id":
            if not text or len(text) > MAX_TRACKING_ID or not text.isprintable():
                raise BadRequest(
                    f"Restante-Tracking-Id must be 1 to {MAX_TRACKING_ID} printable characters",
                    field="Restante-Tracking-Id",
                )
            envelope.tracking_id = text
        case b"restante-callback-url":
            envelope.callback = text


def _span(field: str, text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError:
        raise BadRequest(f"{field} must be {FORM}", field=field) from None


def _priority(text: str) -> int:
    field = "Restante-Priority"
    priority = int(text) if _WHOLE.fullmatch(text) else MAX_PRIORITY + 1
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise BadRequest(
            f"{field} must be a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}", field=field
        )
    return priority
