"""Notifications: the final transaction, posted to the merchant's `notification_url`.

POST, JSON, HTTP Basic with the shop's own credentials. Any 2xx answer ends it; anything else is tried again a
few times. Redirects are not followed. A dead receiver holds nothing up: this runs beside the answers.
"""

import asyncio
import http.client
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from .clock import Clock

log = logging.getLogger("demo.notices")

Post = Callable[[str, dict[str, str], bytes], int]

PAUSES_SECONDS = (1.0, 5.0, 30.0)
"""Between the tries; so there are four of them."""

TIMEOUT_SECONDS = 10.0
MOST_AT_ONCE = 100


def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """The status of one POST; blocks, so it is called in a thread."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


class Notices:
    """Notifications under way. `post` is the call that makes one try."""

    def __init__(self, *, clock: Clock, post: Post = post) -> None:
        self._clock = clock
        self._post = post
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, url: str, authorization: str, body: bytes) -> None:
        """Starts to tell `url`. Beyond the bound it is dropped: the merchant can still look up."""
        if len(self._tasks) >= MOST_AT_ONCE:
            log.warning("notification dropped: %d are under way", MOST_AT_ONCE)
            return
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        task = asyncio.create_task(self._deliver(url, headers, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Waits until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _deliver(self, url: str, headers: dict[str, str], body: bytes) -> None:
        for pause in (*PAUSES_SECONDS, None):
            if await self._try(url, headers, body):
                return
            if pause is not None:
                await self._clock.sleep(pause)
        log.warning("notification given up")

    async def _try(self, url: str, headers: dict[str, str], body: bytes) -> bool:
        try:
            return 200 <= await asyncio.to_thread(self._post, url, headers, body) < 300
        except (OSError, ValueError, http.client.HTTPException):
            return False
