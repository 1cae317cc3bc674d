"""Both clients behind one face, so that each law is held by both. Time passes when they pause, only then."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from restante.client import AsyncClient, AsyncHandle, Client, Handle, Response

KINDS = ("threads", "asyncio")

BYTES = bytes(range(256)) * 20_000
"""More than all the buffers on the way hold."""

NO_SUCH = "00000000-0000-8000-8000-000000000000"


class Time:
    """A clock that a pause moves on. Real time moves it too where `real`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)


class Caller:
    """A client of either kind, awaited."""

    def __init__(self, kind: str, url: str, **how: Any) -> None:
        self.time = Time()
        self._threads = kind == "threads"
        made = Client if self._threads else AsyncClient
        sleep = self.time.sleep if self._threads else self.time.sleep_async
        self.client: Any = made(url, **{"now": self.time.now, "sleep": sleep, "chance": lambda: 1.0, **how})

    async def submit(self, method: str, path: str, **given: Any) -> "Held":
        return self._held(await self.done(self.client.submit, method, path, **given))

    def handle(self, id: str) -> "Held":
        return self._held(self.client.handle(id))

    async def as_ended(self, handles: "list[Held]", **how: Any) -> AsyncIterator["Held"]:
        values = self.client.as_ended([one.handle for one in handles], **how)
        async for one in self.told(values):
            yield self._held(one)

    async def close(self) -> None:
        await self.done(self.client.close)

    async def done(self, function: Any, *arguments: Any, **given: Any) -> Any:
        if self._threads:
            return await asyncio.to_thread(function, *arguments, **given)
        return await function(*arguments, **given)

    async def told(self, values: Any) -> AsyncIterator[Any]:
        """Every value that is told."""
        if not self._threads:
            async for value in values:
                yield value
            return
        none = object()
        while (value := await asyncio.to_thread(next, values, none)) is not none:
            yield value

    def _held(self, handle: "Handle | AsyncHandle") -> "Held":
        return Held(self, handle)


class Held:
    """A handle of either kind, awaited."""

    def __init__(self, caller: Caller, handle: Any) -> None:
        self.caller = caller
        self.handle = handle
        self.id: str = handle.id

    async def status(self) -> str:
        status: str = await self.caller.done(self.handle.status)
        return status

    async def show(self) -> dict[str, Any]:
        document: dict[str, Any] = await self.caller.done(self.handle.show)
        return document

    async def result(self, **how: Any) -> Response:
        response: Response = await self.caller.done(self.handle.result, **how)
        return response

    async def cancel(self) -> None:
        await self.caller.done(self.handle.cancel)

    def events(self, **how: Any) -> AsyncIterator[dict[str, Any]]:
        return self.caller.told(self.handle.events(**how))
