"""The second `Sender`: upstreams that are ASGI applications of this process, without a connection.

What is true of a connection is true here. A line in hand has sent nothing; from `send` on, the application
may have done something, so that whatever breaks off is *interrupted*; nothing is repeated, followed or
decoded; framing is added here. Names of header fields are in lower case (ASGI), all else is byte for byte.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from ..core.errors import Unreachable
from ..core.model import Headers
from ..core.policy import Upstream
from ..outbound.head import framing, request_head
from ..ports import Answer, Line, ReadyLine, Sender
from .exchange import App, AppExchange, Scope

SHUTTING_DOWN = "this side is shutting down"

SPEC = {"version": "3.0", "spec_version": "2.3"}


class AppSender:
    """A `Sender`. `apps` are applications by the name of their upstream; others are spoken to by `beside`.

    `carried` are entries of each scope beside those of a request: what the application was given when it was
    started (`state`), and by the framework around us (`app`). `extensions` are offered in each scope.
    """

    def __init__(self, apps: Mapping[str, App], *, beside: Sender, grace_seconds: float) -> None:
        self.carried: dict[str, Any] = {}
        self.extensions: dict[str, Any] = {}
        self._apps = apps
        self._beside = beside
        self._grace_seconds = grace_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def connect(
        self, upstream: Upstream, *, max_idle_seconds: float | None, timeout_seconds: float
    ) -> Line:
        """A line to an application is there at once. Raises `Unreachable`."""
        app = self._apps.get(upstream.name)
        if app is None:
            return await self._beside.connect(
                upstream, max_idle_seconds=max_idle_seconds, timeout_seconds=timeout_seconds
            )
        if self._closed:
            raise Unreachable(SHUTTING_DOWN)
        return AppLine(self, app, upstream)

    def at_hand(self, upstream: Upstream, *, max_idle_seconds: float | None) -> ReadyLine | None:
        """Only to what is elsewhere: an application is awaited in any case."""
        if upstream.name in self._apps:
            return None
        return self._beside.at_hand(upstream, max_idle_seconds=max_idle_seconds)

    async def close(self) -> None:
        """Answers under way end as `AnswerBroken`; what applications do behind theirs has the grace time."""
        self._closed = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._grace_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)
        await self._beside.close()

    def hold(self, task: asyncio.Task[None]) -> None:
        """The application's, until it has returned."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class AppLine:
    """A `Line`: leave to ask an application once."""

    __slots__ = ("_app", "_sender", "_upstream")

    def __init__(self, sender: AppSender, app: App, upstream: Upstream) -> None:
        self._sender = sender
        self._app: App | None = app
        self._upstream = upstream

    async def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes],
        *,
        size: int | None,
        timeout_seconds: float,
    ) -> Answer:
        """Calls the application, and waits for the head of its answer.

        Raises `ValueError`, and it is not called, where the request could not be written on a connection.
        """
        app, self._app = self._app, None
        if app is None:
            raise RuntimeError("a line carries one request")
        request_head(method, target, headers, size)
        if size is not None and isinstance(body, bytes) and len(body) != size:
            raise ValueError("the request's body is not as long as announced")
        exchange = AppExchange(
            app,
            self._scope(method, target, headers, size),
            body=body,
            size=size,
            timeout_seconds=timeout_seconds,
        )
        self._sender.hold(exchange.task)
        return await exchange.head()

    def close(self) -> None:
        self._app = None

    def _scope(self, method: str, target: str, headers: Headers, size: int | None) -> Scope:
        upstream, sender = self._upstream, self._sender
        path, _, query = target.partition("?")
        fields = [(name.lower(), value) for name, value in headers]
        name, _, value = framing(method, size).rstrip().partition(b": ")
        if name:
            fields.append((name.lower(), value))
        scope: Scope = {
            "type": "http",
            "asgi": dict(SPEC),
            "http_version": "1.1",
            "method": method,
            "scheme": upstream.scheme,
            "path": unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "replace"),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": fields,
            "client": None,
            "server": (upstream.host, upstream.port),
            "extensions": dict(sender.extensions),
        }
        for entry, value_of in sender.carried.items():
            scope.setdefault(entry, value_of.copy() if isinstance(value_of, dict) else value_of)
        return scope
