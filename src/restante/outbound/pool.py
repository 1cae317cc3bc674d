"""The connections at hand: which are open, which are idle.

Last in, first out, so that under little load few stay in use and the rest grow old. Per upstream the
idle ones are kept in the order in which they fell idle.
"""

import asyncio
from bisect import insort
from collections.abc import Callable

from .connection import Connection, Key


class Pool:
    """Open connections. `now` is monotonic seconds."""

    def __init__(self, *, idle_seconds: float, idle_count: int, now: Callable[[], float]) -> None:
        self._idle_seconds = idle_seconds
        self._idle_count = idle_count
        self._now = now
        self._idle: dict[Key, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None  # set from close() on

    @property
    def is_closed(self) -> bool:
        return self._emptied is not None

    def take(self, key: Key, max_idle_seconds: float | None) -> Connection | None:
        """The connection that fell idle last, if that is not too long ago."""
        max_idle = (
            self._idle_seconds if max_idle_seconds is None else min(max_idle_seconds, self._idle_seconds)
        )
        idle = self._idle.get(key)
        while idle:
            if self._now() - idle[-1].idle_since > max_idle:
                return None
            connection = idle.pop()
            if connection.usable():
                return connection
        return None

    def put(self, connection: Connection) -> None:
        """Keeps a connection that has just served, or was just made."""
        connection.idle_since = self._now()
        self.put_back(connection)

    def put_back(self, connection: Connection) -> None:
        """Keeps a connection that was taken and not used: it has been idle since it was."""
        idle = self._idle.get(connection.key, [])
        if self.is_closed or len(idle) >= self._idle_count:
            connection.close()
            return
        self._idle[connection.key] = idle
        if idle and idle[-1].idle_since > connection.idle_since:
            insort(idle, connection, key=lambda other: other.idle_since)
        else:
            idle.append(connection)
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(self._idle_seconds, self.sweep)

    def discard(self, connection: Connection) -> None:
        """Forgets an idle connection that is of no use any more."""
        idle = self._idle.get(connection.key)
        if idle and connection in idle:
            idle.remove(connection)

    def sweep(self) -> None:
        """Closes what has been idle for too long; looks again as long as something is idle."""
        self._sweeper = None
        oldest = self._now() - self._idle_seconds
        for key, idle in list(self._idle.items()):
            while idle and idle[0].idle_since <= oldest:
                idle.pop(0).close()
            if not idle:
                del self._idle[key]
        if self._idle:
            loop = next(iter(self._idle.values()))[0].loop
            self._sweeper = loop.call_later(self._idle_seconds, self.sweep)

    def opened(self, connection: Connection) -> None:
        connection.idle_since = self._now()
        self._open.add(connection)

    def closed(self, connection: Connection) -> None:
        self.discard(connection)
        self._open.discard(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)

    async def close(self) -> None:
        """Ends every connection, and whatever exchange is on, at once."""
        if self._emptied is None:
            self._emptied = asyncio.get_running_loop().create_future()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            exchange = connection.exchange
            if exchange is not None:
                exchange.close()
            connection.drop()
        self._idle.clear()
        if self._open:
            await asyncio.shield(self._emptied)
