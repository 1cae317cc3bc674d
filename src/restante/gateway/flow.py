"""What each connection has to wait with, made for those that do not: an `asyncio.Event` has a deque in it, an
empty deque has room for 64 entries, and a connection to uvicorn has three. That is 2 KiB of each idle one."""

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl


class Signal:
    """An `asyncio.Event` that is small while nobody waits for it."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self, *, is_set: bool = False) -> None:
        self._is_set = is_set
        self._waiters: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> bool:
        """Returns once it has been set, though it may be cleared again by then."""
        if not self._is_set:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters += (waiter,)
            try:
                await waiter
            finally:
                self._waiters = tuple(other for other in self._waiters if other is not waiter)
        return True


class Flow(FlowControl):
    """Of one connection: whether it is read from, and may be written to."""

    __slots__ = ("_is_writable_event", "_transport", "read_paused", "write_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.read_paused = self.write_paused = False
        self._is_writable_event = Signal(is_set=True)  # type: ignore[assignment]


class Queue(list[Any]):
    """Requests that came before those ahead of them were answered: a few, and mostly none."""

    __slots__ = ()

    def appendleft(self, one: object) -> None:
        self.insert(0, one)
