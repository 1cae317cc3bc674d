"""A transaction's trace (W3C Trace Context): the one that its caller began, or its own, whose id is the
transaction's.

Every span's id follows from what it is about. So whoever tells of it, after whatever restart, tells of the
same span, and what an upstream or a receiver was shown as its parent needs no keeping.
"""

import re
from hashlib import blake2s

import msgspec

from .headers import first
from .model import Headers

TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})")
"""Version 00."""

SAMPLED = 1


class Trace(msgspec.Struct, frozen=True):
    """`id` and the caller's span `parent` in hex digits; None: the trace begins with the transaction."""

    id: str
    parent: str | None
    flags: int

    @property
    def sampled(self) -> bool:
        return bool(self.flags & SAMPLED)


def trace_of(id: str, kept: Headers) -> Trace:
    """The trace of the transaction `id`, whose request came with these header fields."""
    return begun_by(id, first(kept, b"traceparent"))


def begun_by(id: str, traceparent: bytes | None) -> Trace:
    """The same, where the caller's field is at hand."""
    came = None if traceparent is None else TRACEPARENT.fullmatch(traceparent)
    if came is None:
        return Trace(id.replace("-", ""), None, SAMPLED)
    return Trace(came[1].decode(), came[2].decode(), int(came[3], 16))


def span_of(id: str, part: str = "", number: int = 0) -> str:
    """The id of the span of a transaction, or of a numbered part of it: 16 hex digits, never all zero."""
    digest = blake2s(f"{id} {part} {number}".encode(), digest_size=8).hexdigest()
    return digest if digest.strip("0") else "1".rjust(16, "0")


def attempt_span(id: str, attempt: int) -> str:
    """That of an attempt, which the upstream is shown as its parent."""
    return span_of(id, "attempt", attempt)


def webhook_span(delivery: str, attempt: int) -> str:
    """That of an attempt at a delivery, which the receiver is shown as its parent."""
    return span_of(delivery, "webhook", attempt)


def traceparent(trace: Trace, span: str) -> bytes:
    """The header field's value: who is called is a part of `span`."""
    return f"00-{trace.id}-{span}-{trace.flags:02x}".encode()
