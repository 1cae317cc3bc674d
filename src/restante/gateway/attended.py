"""Work that is only worth doing as long as the client is there."""

import asyncio
from types import TracebackType
from typing import Any

from .call import LEAVING, Call, ClientGone


class Attended:
    """Runs its block only as long as the client stays; when it leaves, the block is given up at once.

    async with Attended(call) as attended:
        ...                 # CancelledError in here, ClientGone behind it
        attended.watch()    # from here on; before, the block reads the body itself
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._leaving = (call.scope.get("extensions") or {}).get(LEAVING)
        self._watcher: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._gave_up = False

    def watch(self) -> None:
        if self._task is None or self._watcher is not None:
            return
        if self._leaving is None:
            self._watcher = asyncio.create_task(self._watch())
        elif not self._leaving(self._give_up):
            self._give_up()

    async def _watch(self) -> None:
        await self._call.left()
        self._give_up()

    def _give_up(self) -> None:
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
        elif self._leaving is not None:
            self._leaving(None)
        if self._gave_up and task is not None and task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientGone from None
