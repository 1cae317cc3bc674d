"""Work that takes longer than a call: what a gateway in front offers, and the one place that knows it.

A gateway that takes reports says in the request where (`Restante-Events-Url`) and with which token. Then
progress can be told there while the call lasts; and a call may be answered with `Restante-Completion:
deferred`, which says that the end will be told there too. Without these header fields, nothing is told.
"""

import asyncio
import http.client
import json
import logging
from dataclasses import dataclass
from typing import Any

from .notices import Notices, Post
from .web import Request

log = logging.getLogger("demo.reports")

DEFERRED = ("Restante-Completion", "deferred")
"""The header field of an answer that is not the end."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one call's reports go."""

    url: str
    token: str


def place_of(request: Request) -> Place | None:
    """Where the caller wants to be told; None where nobody asked."""
    url = request.headers.get("restante-events-url", "")
    token = request.headers.get("restante-events-token", "")
    return Place(url, token) if url and token else None


class Reports:
    """Tells `notices` its ends (tried again a few times) and progress (once)."""

    def __init__(self, notices: Notices, post: Post) -> None:
        self._notices = notices
        self._post = post

    async def progress(self, place: Place, message: str, **data: Any) -> None:
        """Worth telling, and nothing more: where it cannot be told the work goes on all the same."""
        body = json.dumps({"message": message, "data": data}).encode()
        headers = {"Authorization": f"Bearer {place.token}", "Content-Type": "application/json"}
        try:
            status = await asyncio.to_thread(self._post, place.url, headers, body)
        except (OSError, ValueError, http.client.HTTPException):
            status = 0
        if status != 200:
            log.warning("progress could not be told")

    def end(self, place: Place, message: str, document: Any) -> None:
        """The work is done, and this is what the call would have been answered with."""
        report = {"status": "completed", "message": message, "result": {"status": 200, "body": document}}
        self._notices.send(place.url, f"Bearer {place.token}", json.dumps(report).encode())
