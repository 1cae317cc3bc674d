"""A lifespan (ASGI) within the application's: begun behind its start, ended before its end.

An application that speaks none is left out, as servers do: ours is answered all the same.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from .exchange import LEAVE_SECONDS, App, Message, Receive, Scope, Send

OWN = frozenset({"type", "asgi", "extensions"})
"""Entries of a lifespan's scope that say nothing about the application."""

log = logging.getLogger("restante.embed")


class Life:
    """`start` gives back what went wrong, or nothing; `stop` ends what was started."""

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        start: Callable[[], Awaitable[str]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self._from_server = receive
        self._to_server = send
        self._start = start
        self._stop = stop
        self._heard: set[str] = set()  # what the server has said
        self._said: set[str] = set()  # what the application has
        self._failed = False  # ours could not be started, and the server knows

    async def lead(self, app: App, scope: Scope) -> None:
        """The whole of it."""
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            if self._said:  # it does speak it, and went wrong
                await self._stop()
                raise
            if self._heard:
                log.exception("the application's lifespan broke before its start was complete")
            else:
                log.info("the application speaks no lifespan")
        if "lifespan.startup.failed" in self._said or self._failed:
            return
        if "lifespan.startup.complete" not in self._said:
            await self._hear("lifespan.startup")
            await self._begin()
        if not self._failed and "lifespan.shutdown.complete" not in self._said:
            await self._hear("lifespan.shutdown")
            await self._to_server({"type": "lifespan.shutdown.complete"})

    async def _hear(self, kind: str) -> None:
        while kind not in self._heard:
            await self._receive()

    async def _receive(self) -> Message:
        if self._failed:  # the server asks for nothing more, and the application is to clear up
            return {"type": "lifespan.shutdown"}
        message = await self._from_server()
        self._heard.add(message["type"])
        if message["type"] == "lifespan.shutdown":
            await self._stop()
        return message

    async def _send(self, message: Message) -> None:
        self._said.add(message["type"])
        if self._failed:
            return
        if message["type"] == "lifespan.startup.complete":
            await self._begin()
        else:
            await self._to_server(message)

    async def _begin(self) -> None:
        wrong = await self._start()
        self._failed = bool(wrong)
        if wrong:
            await self._to_server({"type": "lifespan.startup.failed", "message": f"Restante: {wrong}"})
        else:
            await self._to_server({"type": "lifespan.startup.complete"})


@asynccontextmanager
async def led(app: App) -> AsyncIterator[None]:
    """What a server does at an application's start and end, for one that no server sees.

    Raises `RuntimeError` where it does not start, and what it raises itself.
    """
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}

    async def lead() -> None:
        try:
            await app(scope, to_app.get, said.put)
        finally:
            await said.put({"type": ""})  # nothing will follow

    async def tell(kind: str) -> None:
        await to_app.put({"type": f"lifespan.{kind}"})
        answer = await said.get()
        if answer["type"] != f"lifespan.{kind}.complete":
            if not answer["type"]:
                await leading  # which may say why
            raise RuntimeError(answer.get("message") or f"the application's {kind} was not complete")

    leading = asyncio.create_task(lead())
    try:
        await tell("startup")
        try:
            yield
        finally:
            await tell("shutdown")
    finally:
        await asyncio.wait([leading], timeout=LEAVE_SECONDS)  # it may have to clear up
        leading.cancel()
