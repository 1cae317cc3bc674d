"""A stream of events, taken apart (HTML Standard, *Server-sent events*): pieces in, documents out."""

from typing import Any

import msgspec

from .errors import NotUnderstood

STREAM = "text/event-stream"

MAX_EVENT = 4 * 1024 * 1024
"""Bytes of one event, and of one line."""


class EventLines:
    """Comments and fields other than `data` are skipped, and so is what is no JSON object."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[dict[str, Any]]:
        """The events that are whole now. Raises `NotUnderstood` for one that is too long."""
        events = []
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r")
            if text.startswith(b"data:"):
                self._data.append(text[5:].removeprefix(b" ").decode("utf-8", "replace"))
                self._size += len(text)
            elif not text and self._data:
                event = _document("\n".join(self._data))
                if event is not None:
                    events.append(event)
                self._data, self._size = [], 0
        if self._size + len(self._rest) > MAX_EVENT:
            raise NotUnderstood(f"an event is over {MAX_EVENT} bytes")
        return events


def _document(text: str) -> dict[str, Any] | None:
    try:
        event = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return event if isinstance(event, dict) else None
