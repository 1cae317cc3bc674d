"""Connections to the database: a bounded number, opened when needed, never trusted after an error.

While the server cannot be reached, it is asked again seldom and by few: after a failed try everybody is
refused until a pause has passed that doubles and is never the same on two machines.
"""

import asyncio
import logging
import random
from typing import Any

import asyncpg

from ...core.errors import SettingError, StoreUnavailable
from .trouble import unavailable
from .url import Target

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 2.0
COMMAND_SECONDS = 10.0
"""A statement that takes longer is given up: by the server a little earlier, by us in any case."""

LOCK_SECONDS = 10.0
STATEMENTS = 100
"""Prepared per connection; behind a pooler none, and each statement is sent as a whole."""

PLANNING = {"jit": "off", "enable_seqscan": "off"}
"""A prepared statement's plan is kept for a while, and may have been made when the tables were empty: then it
would read them whole, however large they have become."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0

log = logging.getLogger("restante.stores")

_ABOUT = """
SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'),
    current_setting('synchronous_commit'), current_setting('transaction_read_only')
"""
OLDEST_VERSION = 150000


class Pool:
    """`take` a connection, then `give` it back or `drop` it."""

    def __init__(self, target: Target, *, size: int) -> None:
        self.target = target
        self._places = asyncio.Semaphore(size)
        self._idle: list[Any] = []
        self._taken: set[Any] = set()
        self._failures = 0
        self._rests_until = 0.0
        self._closed = False
        self._returning: asyncio.Task[None] | None = None
        self._warned: set[Any] = set()

    @property
    def away(self) -> bool:
        """Whether the last try to reach the server failed, and nothing else is left."""
        return self._failures > 0 and not self._idle and not self._taken

    async def take(self) -> Any:
        """A connection that works as far as is known. Raises `StoreUnavailable`."""
        if self._closed:
            raise StoreUnavailable("The store is closed.")
        await self._places.acquire()
        try:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    break
            else:
                connection = await self._open()
        except BaseException:
            self._places.release()
            raise
        self._taken.add(connection)
        return connection

    def warned(self, connection: Any) -> bool:
        """Whether it has been warned of anything since it was taken.

        The one warning there is to expect: a commit was not waited for until a standby had it, because
        somebody cancelled the waiting. It is reported as if all were well.
        """
        found = connection in self._warned
        self._warned.discard(connection)
        return found

    def give(self, connection: Any) -> None:
        """It is as good as it was."""
        self._taken.discard(connection)
        self._places.release()
        if self._closed or connection.is_closed():
            connection.terminate()
        else:
            self._idle.append(connection)

    def drop(self, connection: Any, *, all: bool = False) -> None:
        """It is not. `all`: neither are those that lie idle, or so it seems."""
        self._taken.discard(connection)
        self._places.release()
        connection.terminate()
        if all:
            while self._idle:
                self._idle.pop().terminate()

    async def close(self) -> None:
        self._closed = True
        if self._returning is not None:
            self._returning.cancel()
        for connection in self._taken:
            connection.terminate()
        idle, self._idle = self._idle, []
        ends = [connection.close(timeout=CLOSE_SECONDS) for connection in idle]
        for end in await asyncio.gather(*ends, return_exceptions=True):
            if isinstance(end, Exception):
                log.debug("a connection did not end well: %r", end)

    async def _open(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop.time() < self._rests_until:
            raise unavailable()
        try:
            connection = await open_connection(self.target)
        except Exception as error:
            pause = min(FIRST_PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
            self._rests_until = loop.time() + pause * random.uniform(0.5, 1.0)
            self._failures = min(self._failures + 1, 10)
            if self._failures == 1:
                log.warning("the database cannot be reached; trying again until it can")
            log.debug("the database cannot be reached: %r", error)
            if self._returning is None and not self._closed:
                self._returning = loop.create_task(self._return())
            raise unavailable(error) from None
        connection.add_log_listener(self._hear)
        if self._failures:
            log.warning("the database can be reached again")
        self._failures, self._rests_until = 0, 0.0
        return connection

    def _hear(self, connection: Any, message: Any) -> None:
        if message.severity_en == "WARNING":
            self._warned.add(connection)
            log.debug("the database warns: %s", message)

    async def _return(self) -> None:
        """Tries until the server is back, so that nobody need wait to see it."""
        loop = asyncio.get_running_loop()
        while self._failures and not self._closed:
            await asyncio.sleep(max(self._rests_until - loop.time(), FIRST_PAUSE_SECONDS))
            try:
                self._idle.append(await self._open())
            except StoreUnavailable:
                continue
        self._returning = None


async def open_connection(target: Target) -> Any:
    """A new connection to a server that takes writes and will do. Raises what the driver raises,
    `SettingError` where the server will never do, OSError where it does not now."""
    settings = {"application_name": "restante"}
    if not target.pooled:  # a pooler would not know them, or give them to others
        settings["statement_timeout"] = str(int(COMMAND_SECONDS * 900))
        settings["lock_timeout"] = str(int(LOCK_SECONDS * 1000))
        settings |= PLANNING
    connection = await asyncpg.connect(
        target.url,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        statement_cache_size=0 if target.pooled else STATEMENTS,
        server_settings=settings,
    )
    if target.pooled:
        # Else the driver would switch jit off in one session, and on again in another.
        connection._server_caps = connection._server_caps._replace(jit=False)
    try:
        version, encoding, commits, read_only = await connection.fetchrow(_ABOUT)
        if version < OLDEST_VERSION:
            raise SettingError("store", "PostgreSQL 15 or later is needed")
        if encoding != "UTF8":
            raise SettingError("store", f"the database's encoding must be UTF8, not {encoding}")
        if commits in ("off", "local"):  # local: on this server's disk, and on no standby's
            raise SettingError(
                "store",
                f"synchronous_commit is {commits} for this role or database, what is accepted could be lost; "
                "ALTER ROLE … SET synchronous_commit = on",
            )
        if read_only == "on":
            raise ConnectionRefusedError("it takes no writes: a standby, or default_transaction_read_only")
    except BaseException:
        connection.terminate()
        raise
    return connection
