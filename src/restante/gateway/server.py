"""The HTTP server: uvicorn; signals are the process's business (assembly), and it waits without ticking."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from ..core.clock import SECOND
from ..core.policy import Connections
from .crowd import Crowd
from .protocol import Protocol
from .state import State

BACKLOG = 2048
DEFAULTS = Connections()
"""As many connections as come."""
LAST_WORDS_SECONDS = 1.0


class Server(uvicorn.Server):
    """Serves until `stop` is called, on the event loop."""

    def __init__(self, config: uvicorn.Config, *, state: State) -> None:
        self._exit = asyncio.Event()
        self._idle_seconds = 0.0
        super().__init__(config)
        self.server_state: State = state

    def stop(self, *, idle_seconds: float = 0.0) -> None:
        """Accepts no more connections, lets what is being answered end, then returns from `serve`.

        Connections that are idle are closed after `idle_seconds`; until then each may ask once more.
        """
        self._idle_seconds = idle_seconds
        self.should_exit = True

    @property
    def should_exit(self) -> bool:
        return self._exit.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._exit.set()
        else:
            self._exit.clear()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are not the server's."""
        yield

    async def main_loop(self) -> None:
        await self._exit.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """What is being answered has the grace time, and after it is told so."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        state = self.server_state
        connections: list[Protocol] = list(state.connections)  # type: ignore[arg-type]
        for connection in connections:
            connection.shutdown(self._idle_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while state.connections:
                    state.deserted.clear()
                    await state.deserted.wait()
                if state.tasks:
                    await asyncio.wait(state.tasks)
        for task in state.tasks:
            task.cancel()
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=LAST_WORDS_SECONDS)


def make_server(
    app: Any,
    *,
    grace_seconds: float | None = None,
    limits: Connections = DEFAULTS,
    crowd: Crowd | None = None,
) -> Server:
    """A server for `app`; run it with `await server.serve(sockets=[...])` on the running event loop.

    After `stop`, answers under way have `grace_seconds` to end (None: all the time they need).
    With more connections than there may be, here (`limits`) or in the process (`crowd`), new ones get 503 and
    are closed. A head that does not come in
    time, or of a body less than BODY_BYTES, is answered with 408.
    """
    return Server(
        uvicorn.Config(
            app,
            loop="none",
            http=Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=limits.idle_timeout / SECOND,  # type: ignore[arg-type]
            timeout_graceful_shutdown=grace_seconds,  # type: ignore[arg-type]
            backlog=BACKLOG,
        ),
        state=State(limits, crowd or Crowd()),
    )
