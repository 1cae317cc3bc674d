"""A thread that does a worker's groups, with one wake-up of the event loop per group."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from .database import wrong
from .turnstile import Turnstile
from .worker import Group

Run = Callable[[Group, Turnstile], None]
Done = Callable[[Group], None]


class Thread:
    """`run` sets each job's value or error; if it raises, that is their error."""

    enough: int | None = (
        None  # the thread and the loop would fight for the interpreter while a group comes in
    )
    ahead: int = 1

    def __init__(self, name: str, run: Run) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._given: SimpleQueue[tuple[Group, Done] | None] = SimpleQueue()
        self._turnstile = Turnstile(self._loop)
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def give(self, group: Group, done: Done) -> None:
        self._given.put((group, done))
        self._turnstile.watch()

    async def close(self) -> None:
        self._given.put(None)
        await asyncio.to_thread(self._thread.join)

    def _main(self) -> None:
        while (given := self._given.get()) is not None:
            group, done = given
            self._turnstile.begin()
            try:
                self._run(group, self._turnstile)
            except Exception as error:
                for job in group:
                    job.error = job.error or wrong(error)
            with suppress(RuntimeError):  # the loop may be gone, and everybody who waited with it
                self._loop.call_soon_threadsafe(done, group)
            del given, group  # else they are kept for as long as nothing more comes
            self._turnstile.sleep()
