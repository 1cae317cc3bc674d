"""Our own answers: always a whole JSON object, with `Restante-Status`; and the heads of verbatim ones."""

from base64 import b64encode
from hashlib import sha256
from typing import Any

import msgspec

from ..core.envelope import OURS
from ..core.headers import WITHOUT_BODY, end_to_end
from ..core.model import Headers
from ..core.status import Outcome

JSON = (b"content-type", b"application/json")
PROBLEM = (b"content-type", b"application/problem+json")
NO_STORE = (b"cache-control", b"no-store")
REPLAYED = (b"idempotent-replayed", b"true")

GUARDED = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Fields of every page below `/-/`."""

INERT = (
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
"""Fields of somebody else's document below `/-/`: whatever it is, it does nothing there."""

encode = msgspec.json.Encoder().encode


class Reply(msgspec.Struct, frozen=True):
    """An answer of ours, whole."""

    code: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % len(body)


def word(status: str) -> tuple[bytes, bytes]:
    return b"restante-status", status.encode()


def outcome(kind: Outcome | None, *, doubt: bool) -> list[tuple[bytes, bytes]]:
    """How the work broke, where code and body are the same for "surely not done" and "may have been done";
    nothing where it did not. `doubt`: it may have been.
    """
    if kind is None:
        return []
    return [
        (b"restante-outcome", kind.encode()),
        (b"restante-outcome-unknown", b"true" if doubt else b"false"),
    ]


def retry_after(seconds: int) -> tuple[bytes, bytes]:
    return b"retry-after", b"%d" % seconds


def text(name: bytes, value: str) -> tuple[bytes, bytes]:
    """A field whose value has been checked, or is latin-1 because it came in that way."""
    return name, value.encode("latin-1")


def document(content: Any, *more: tuple[bytes, bytes], code: int = 200) -> Reply:
    """A JSON document that may be another one the next time."""
    body = encode(content)
    return Reply(code, [JSON, length(body), NO_STORE, *more], body)


def page(html: str, *, style: str) -> Reply:
    """A page of ours: it runs no script, loads nothing, goes into no frame, and only this `style` applies."""
    body = html.encode()
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        length(body),
        NO_STORE,
        text(b"content-security-policy", policy + "frame-ancestors 'none'"),
        *GUARDED,
    ]
    return Reply(200, headers, body)


def _only_ours(name: bytes) -> bool:
    return name == b"content-length" or name.replace(b"_", b"-").startswith(OURS)


def verbatim(headers: Headers, code: int, size: int | None) -> list[tuple[bytes, bytes]]:
    """An upstream's header fields as they go to a caller, framed for a body of `size`.

    Dropped are hop-by-hop fields, and those that bear our name, however they spell it: by `Restante-Status`,
    callers tell our answers from the upstream's. All others are the upstream's to say, byte for byte.
    """
    kept = [pair for pair in end_to_end(headers) if not _only_ours(pair[0].lower())]
    if size is not None and code not in WITHOUT_BODY:
        kept.append((b"content-length", b"%d" % size))
    return kept
