"""What goes on beside: begun, and waited for in the end. One that raised made a mistake of ours, and is
found."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """`len` is how many are under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def check(self) -> None:
        """Raises what one of them raised."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def drain(self) -> None:
        """Until the last one is over. Raises what one of them raised."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def end(self) -> None:
        """Breaks them off."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _over(self, task: asyncio.Task[None]) -> None:
        """One that raised stays, for `drain` to find."""
        if task.cancelled() or task.exception() is None:
            self._tasks.discard(task)
