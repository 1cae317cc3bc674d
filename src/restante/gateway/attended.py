"""Work that is only worth doing as long as the client is there, and may ask for it."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any

from ..service.keys import Keys
from .call import LEAVING, BrokenOff, Call, ClientGone
from .problems import Unauthenticated


class Attended:
    """Runs its block only as long as the client stays; when it leaves, the block is given up at once.

    async with Attended(call) as attended:
        ...                 # CancelledError in here, ClientGone behind it
        attended.watch()    # from here on; before, the block reads the body itself

    With `keys` it is given up as well when the key it was asked for with is good no longer:
    `Unauthenticated`, or `BrokenOff` where the answer has begun.
    """

    def __init__(self, call: Call, keys: Keys | None = None) -> None:
        self._call = call
        self._keys = keys
        self._revoked = False
        self._release: Callable[[], None] | None = None
        self._leaving = (call.scope.get("extensions") or {}).get(LEAVING)
        self._watcher: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._gave_up = False

    def watch(self) -> None:
        if self._task is None or self._watcher is not None:
            return
        key = None if self._call.caller is None else self._call.caller.key
        if self._keys is not None and key is not None:
            self._release = self._keys.hold(key, self._revoke)
        if self._leaving is None:
            self._watcher = asyncio.create_task(self._watch())
        elif not self._leaving(self._give_up):
            self._give_up()

    async def _watch(self) -> None:
        await self._call.left()
        self._give_up()

    def _revoke(self) -> None:
        self._revoked = not self._gave_up
        self._give_up()

    def _give_up(self) -> None:
        if not self._call.finished and self._task is not None and not self._gave_up:
            self._gave_up = True
            self._task.cancel()

    async def __aenter__(self) -> "Attended":
        self._task = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._release is not None:
            self._release()
        if self._watcher is not None:
            self._watcher.cancel()
        elif self._leaving is not None:
            self._leaving(None)
        if self._gave_up and task is not None and task.uncancel() == 0 and kind is asyncio.CancelledError:
            if not self._revoked:
                raise ClientGone from None
            if self._call.started:
                raise BrokenOff("its key is good no longer") from None
            raise Unauthenticated("This key is good no longer.") from None
