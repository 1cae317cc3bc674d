"""JSON pointers (RFC 6901) into documents that are somebody else's: a miss is a value, not an error."""

from typing import Any

import jsonpointer
import msgspec

NOTHING: Any = object()


def decode(body: bytes) -> Any:
    """The JSON document in `body`, or NOTHING where it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NOTHING


def pick(document: Any, pointer: str) -> Any:
    """What `pointer` points to in `document`, or NOTHING."""
    value = jsonpointer.resolve_pointer(document, pointer, NOTHING)
    return NOTHING if isinstance(value, jsonpointer.EndOfList) else value
