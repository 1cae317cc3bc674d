"""Names to addresses, by the operating system: its hosts file, its search order, its cache.

The system's look-up blocks, cannot be broken off and may take half a minute. So each has a thread of its
own, which nobody waits for at the end of the process, and not one of the event loop's few: there a handful of
names that do not answer would hold up all others. Who asks for a name that is being looked up already waits
for the same answer, so a name that hangs costs one thread however often it is tried.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a name, the best first. Raises `OSError` where there are none."""

AT_ONCE = 256
"""Look-ups under way; more wait for their turn, within the time of the attempt they are for."""


class SystemResolver:
    """A `Resolve`. `look_up` is the call that blocks."""

    def __init__(
        self, look_up: Callable[[str], Sequence[str]] | None = None, *, at_once: int = AT_ONCE
    ) -> None:
        self._look_up = look_up or addresses_of
        self._places = asyncio.Semaphore(at_once)
        self._under_way: dict[str, asyncio.Task[Sequence[str]]] = {}

    async def __call__(self, name: str) -> Sequence[str]:
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(name))
            self._under_way[name] = task
            task.add_done_callback(lambda task: self._done(name, task))
        return await asyncio.shield(task)

    def _done(self, name: str, task: "asyncio.Task[Sequence[str]]") -> None:
        del self._under_way[name]
        if not task.cancelled():
            task.exception()  # it may be that nobody waits any more, and so nobody asks

    async def _ask(self, name: str) -> Sequence[str]:
        async with self._places:
            loop = asyncio.get_running_loop()
            found: asyncio.Future[Sequence[str]] = loop.create_future()

            def settle(answer: Sequence[str] | Exception) -> None:
                if found.done():
                    return
                if isinstance(answer, Exception):
                    found.set_exception(answer)
                else:
                    found.set_result(answer)

            def run() -> None:
                try:
                    answer: Sequence[str] | Exception = self._look_up(name)
                except Exception as error:  # whatever it is, it is told to who waits
                    answer = error
                with suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(settle, answer)

            try:
                threading.Thread(target=run, name="restante-look-up", daemon=True).start()
            except RuntimeError as error:
                raise OSError("there can be no more threads") from error
            return await found


def addresses_of(name: str) -> Sequence[str]:
    """Blocks. The system's order is kept. Raises `OSError`."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("not a host name") from error
    return list(dict.fromkeys(str(where[0]) for *_, where in found))
