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


def pick_raw(body: bytes, pointer: str) -> bytes | None:
    """The bytes of what `pointer` points to in the JSON document `body`, as they came; None for nothing."""
    raw: bytes | memoryview = body
    for part in jsonpointer.JsonPointer(pointer).parts:
        try:
            level = msgspec.json.decode(raw, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
            found = level[part] if isinstance(level, dict) else level[_place(part)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, IndexError, ValueError):
            return None
        raw = memoryview(found)
    return bytes(raw)


def _place(part: str) -> int:
    if not (part.isascii() and part.isdigit()) or (part[0] == "0" and part != "0"):
        raise ValueError("not a place in a list")
    return int(part)
