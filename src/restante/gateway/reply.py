"""Our own answers: always a whole JSON object, with `Restante-Status`; and the heads of verbatim ones."""

from typing import Any

import msgspec

from ..core.headers import WITHOUT_BODY, end_to_end
from ..core.model import Headers

JSON = (b"content-type", b"application/json")
PROBLEM = (b"content-type", b"application/problem+json")
NO_STORE = (b"cache-control", b"no-store")
REPLAYED = (b"idempotent-replayed", b"true")

ONLY_OURS = frozenset({b"content-length", b"restante-status", b"restante-mask"})

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


def retry_after(seconds: int) -> tuple[bytes, bytes]:
    return b"retry-after", b"%d" % seconds


def text(name: bytes, value: str) -> tuple[bytes, bytes]:
    """A field whose value has been checked, or is latin-1 because it came in that way."""
    return name, value.encode("latin-1")


def document(content: Any, *more: tuple[bytes, bytes], code: int = 200) -> Reply:
    """A JSON document that may be another one the next time."""
    body = encode(content)
    return Reply(code, [JSON, length(body), NO_STORE, *more], body)


def verbatim(headers: Headers, code: int, size: int | None) -> list[tuple[bytes, bytes]]:
    """An upstream's header fields as they go to a caller, framed for a body of `size`.

    Dropped are hop-by-hop fields, and what only we may say: by `Restante-Status`, callers tell our answers
    from the upstream's; by `Restante-Mask`, what is not to be shown.
    """
    kept = [pair for pair in end_to_end(headers) if pair[0].lower() not in ONLY_OURS]
    if size is not None and code not in WITHOUT_BODY:
        kept.append((b"content-length", b"%d" % size))
    return kept
