"""The bodies of reports and resolutions: strict JSON, every field that is wrong is named.

{"message": "…", "data": {…}}                                       progress
{"status": "completed", "result": {"status": 200, "headers": {…}, "body": …}}   the end
{"status": "failed", "reason": "…", "by": "…"}                      a resolution
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..core.errors import BadRequest
from ..core.headers import HOP_BY_HOP, WITHOUT_BODY
from ..core.model import Headers
from ..core.pointer import NOTHING, decode
from ..core.policy import Limits
from ..core.report import Report, Resolution, Told
from ..core.status import Status

MAX_REPORT = 1024 * 1024
"""The largest body of a report or resolution, in bytes."""

MAX_MESSAGE = 1000
MAX_BY = 255
MAX_FIELDS = 100

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING = HOP_BY_HOP | {b"content-length", b"restante-status", b"restante-completion"}


def read_report(body: bytes, limits: Limits) -> Report:
    """What an upstream says; raises `BadRequest` naming the field."""
    given = _object(body, ("message", "data", "status", "result"))
    status = _status(given) if "status" in given else None
    if status is None and "result" in given:
        raise BadRequest("A result goes with a status: completed or failed.", field="result")
    if status is None and "message" not in given and "data" not in given:
        raise BadRequest("A report says something: a message, data, or a status.", field="message")
    told = _told(given["result"], status) if status and "result" in given else None
    if told is not None and len(told.body) > limits.max_result:
        raise BadRequest(
            f"The result's body is over the limit of {limits.max_result} bytes (max_result).",
            field="result.body",
        )
    return Report(
        message=_text(given, "message", MAX_MESSAGE) if "message" in given else None,
        data=_data(given["data"], limits) if "data" in given else None,
        status=status,
        result=told,
    )


def read_resolution(body: bytes, *, tenant: str) -> Resolution:
    """What a person says; `by` is the tenant where nobody is named. Raises `BadRequest` naming the field."""
    given = _object(body, ("status", "reason", "by", "result"))
    status = _status(given)
    return Resolution(
        status=status,
        reason=_text(given, "reason", MAX_MESSAGE),
        by=_text(given, "by", MAX_BY) if "by" in given else tenant,
        result=_told(given["result"], status) if "result" in given else None,
    )


def _object(body: bytes, names: tuple[str, ...]) -> dict[str, Any]:
    document = decode(body)
    if not isinstance(document, dict):
        raise BadRequest("The body must be a JSON object.", field="body")
    for name in document:
        if name not in names:
            raise BadRequest(f"{name[:50]} is not one of {', '.join(names)}", field=name[:50])
    return {name: value for name, value in document.items() if value is not None}


def _status(given: Mapping[str, Any]) -> Status:
    if given.get("status") not in (Status.COMPLETED, Status.FAILED):
        raise BadRequest("status must be completed or failed", field="status")
    return Status(given["status"])


def _text(given: Mapping[str, Any], name: str, longest: int) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise BadRequest(f"{name} must be text of 1 to {longest} characters", field=name)
    return value


def _data(value: object, limits: Limits) -> dict[str, Any]:
    if not isinstance(value, dict) or len(msgspec.json.encode(value)) > limits.event_data:
        raise BadRequest(f"data must be an object of at most {limits.event_data} bytes", field="data")
    return value


def _told(value: object, status: Status) -> Told:
    if not isinstance(value, dict) or value.keys() - {"status", "headers", "body", "body_base64"}:
        raise BadRequest(
            "result must be an object of status, headers and body (or body_base64)", field="result"
        )
    completed = status is Status.COMPLETED
    code = value.get("status", 200 if completed else 500)
    fits = isinstance(code, int) and not isinstance(code, bool) and 200 <= code <= 599
    if not fits or (code < 300) is not completed:
        raise BadRequest(
            "result.status must be a code from 200 to 299 where status is completed, "
            "and from 300 to 599 where it is failed",
            field="result.status",
        )
    headers = _headers(value.get("headers") or {})
    body, kind = _body(value)
    if body and code in WITHOUT_BODY:
        raise BadRequest(f"A result with status {code} has no body (RFC 9110).", field="result.body")
    if kind is not None and not any(name.lower() == b"content-type" for name, _ in headers):
        headers = ((b"content-type", kind), *headers)
    return Told(code, headers, body)


def _headers(value: object) -> Headers:
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(pairs, Sequence) or isinstance(pairs, str) or len(pairs) > MAX_FIELDS:
        raise _wrong_headers()
    kept = []
    for pair in pairs:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise _wrong_headers()
        name, content = pair
        if not (isinstance(name, str) and isinstance(content, str)):
            raise _wrong_headers()
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(content)):
            raise _wrong_headers()
        if name.lower().encode() not in _FRAMING:
            kept.append((name.encode(), content.strip().encode("latin-1")))
    return tuple(kept)


def _wrong_headers() -> BadRequest:
    return BadRequest(
        "result.headers must be an object of texts, or a list of pairs of texts", field="result.headers"
    )


def _body(value: Mapping[str, Any]) -> tuple[bytes, bytes | None]:
    """The bytes, and the type they have where no header says it."""
    if "body_base64" in value:
        if "body" in value or not isinstance(value["body_base64"], str):
            raise BadRequest("Give either body, or body_base64 as text.", field="result.body_base64")
        try:
            return b64decode(value["body_base64"], validate=True), None
        except (binascii.Error, ValueError):
            raise BadRequest("body_base64 must be base64", field="result.body_base64") from None
    body = value.get("body", NOTHING)
    if body is NOTHING:
        return b"", None
    if isinstance(body, str):
        return body.encode(), b"text/plain; charset=utf-8"
    return msgspec.json.encode(body), b"application/json"
