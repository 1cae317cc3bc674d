"""Which header fields belong to a connection and not to the message (RFC 9110 §7.6.1)."""

from collections.abc import Iterable

from .model import Headers

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


WITHOUT_BODY = frozenset({204, 304})
"""Codes of answers that never have a body (RFC 9110 §6.4.1)."""


CREDENTIALS = frozenset({b"authorization", b"cookie"})
"""Request fields that say who the caller is to the upstream."""


def without_credentials(headers: Headers) -> Headers:
    """The same for keeping once nothing is sent any more."""
    return tuple(pair for pair in headers if pair[0].lower() not in CREDENTIALS)


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The fields that belong to the message, in order, untouched.

    Dropped are the hop-by-hop ones and those that `Connection` names.
    """
    named: frozenset[bytes] = frozenset()
    kept = []
    for name, value in headers:
        lower = name.lower()
        if lower == b"connection":
            named |= {token.strip().lower() for token in value.split(b",")}
        if lower not in HOP_BY_HOP:
            kept.append((name, value))
    # Content-Length frames this very message: naming it in Connection must not unframe it.
    named -= {b"close", b"keep-alive", b"content-length", b"host"}
    if named:
        kept = [(name, value) for name, value in kept if name.lower() not in named]
    return tuple(kept)


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of the field `name` (lower case), or None."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None
