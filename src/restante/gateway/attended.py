"""Work that is only worth doing as long as the client is there."""

import asyncio
from types import TracebackType
from typing import Any

from .call import Call, ClientGone


class Attended:
    """Runs its block only as long as the client stays; when it leaves, the block is given up at once.

    async with Attended(call) as attended:
        ...                 # CancelledError in here, ClientGone behind it
        attended.watch()    # from here on; before, the block reads the body itself
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._watcher: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._gave_up = False

    def watch(self) -> None:
        if self._watcher is None and self._task is not None:
            self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        await self._call.left()
        if not self._call.finished and self._task is not None:
            self._gave_up = True
            self._task.cancel()

    async def __aenter__(self) -> "Attended":
        self._task = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gave_up and task is not None and task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientGone from None
