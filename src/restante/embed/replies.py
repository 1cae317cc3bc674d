"""What an operation's end looks like as an answer: the one thing that is stored of it."""

from typing import Any

import msgspec

from .failures import Failure
from .work import encode

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")
BYTES = (b"content-type", b"application/octet-stream")


class Reply(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def completed(value: Any) -> Reply:
    """What was returned, as JSON; None is 204, bytes are as they are."""
    if value is None:
        return Reply(204, (), b"")
    if isinstance(value, bytes):
        return _reply(200, BYTES, value)
    return _reply(200, JSON, encode(value))


def failed(failure: Failure) -> Reply:
    """A failure that was meant."""
    if failure.details is None:
        return text(failure.status, failure.message)
    return _reply(failure.status, JSON, encode(failure.details))


def text(status: int, message: str, *more: tuple[bytes, bytes]) -> Reply:
    """A sentence: in the log of a transaction it is there as it is."""
    return _reply(status, TEXT, message.encode("utf-8", "replace"), *more)


def _reply(status: int, kind: tuple[bytes, bytes], body: bytes, *more: tuple[bytes, bytes]) -> Reply:
    return Reply(status, (kind, (b"content-length", b"%d" % len(body)), *more), body)
