"""The database as named statements: each on any connection, each with a known end or `Lost`.

A statement that was surely not done because two of them were in each other's way is done again, and one
whose end is unknown may be done again where that is harmless (`again`).
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ...core.errors import RestanteError, StoreUnavailable, WriteUnknown
from .condition import UNCONFIRMED, Condition
from .pool import COMMAND_SECONDS, Pool
from .queries import query
from .trouble import RETRY_SECONDS, Homeless, Lost, Meaning, meaning, unavailable, wrong

TRIES = 4
"""How often a statement is begun, at most."""

PERSISTENCE_SECONDS = 10.0
"""How long it is tried to find out what became of a lost write. With COMMAND_SECONDS and what a lane lets
wait, it is less than callers wait for an answer (25 s)."""

PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.5

Found = TypeVar("Found")

log = logging.getLogger("restante.stores")


class Database:
    """Runs the statements of queries.sql. `make_room` makes the partitions that some keys belong to."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.condition = Condition()
        self.make_room: Callable[[Sequence[int]], Awaitable[None]]

    async def rows(
        self, name: str, *arguments: Any, keys: Sequence[int] = (), again: bool = False
    ) -> list[Any]:
        """The statement's rows. `again`: doing it twice is as good as once. `keys`: the rows it is about, so
        that it looks into few partitions, and finds one where it writes.

        Raises `Lost` (never with `again`), `StoreUnavailable`, or a `RestanteError` that is about the row.
        """
        text = query(name, keys)
        for _ in range(TRIES):
            try:
                return await self.search(text, *arguments, again=again)
            except Homeless:
                await self.make_room(keys)
        raise RestanteError("the store has no place for this")

    async def value(self, name: str, *arguments: Any, keys: Sequence[int] = (), again: bool = False) -> Any:
        """The first column of the first row; None where there is none."""
        rows = await self.rows(name, *arguments, keys=keys, again=again)
        return rows[0][0] if rows else None

    async def command(self, text: str) -> None:
        """Several statements in one text, or one that will not be prepared; again where its end is unknown.

        Raises `StoreUnavailable`, or a `RestanteError`.
        """
        for left in reversed(range(TRIES)):
            connection = await self._pool.take()
            try:
                await connection.execute(text, timeout=COMMAND_SECONDS)
            except Exception as error:
                what = meaning(error)
                log.debug("a command ended with %r", error)
                self._pool.drop(
                    connection, all=what is Meaning.LOST
                )  # perhaps in the middle of a transaction
                if not left or what not in (Meaning.LOST, Meaning.AGAIN):
                    raise wrong(error) from error
            except BaseException:
                self._pool.drop(connection)
                raise
            else:
                self._pool.give(connection)
                return

    async def search(self, text: str, *arguments: Any, again: bool = True) -> list[Any]:
        """The same for a text put together from constant parts."""
        for left in reversed(range(TRIES)):
            connection = await self._pool.take()
            try:
                found: list[Any] = await connection.fetch(text, *arguments, timeout=COMMAND_SECONDS)
            except Exception as error:
                what = meaning(error)
                log.debug("a statement ended with %r", error)
                self.condition.failed(error)
                if what in (Meaning.LOST, Meaning.ELSEWHERE):
                    self._pool.drop(connection, all=True)
                else:
                    self._pool.give(connection)
                if what is Meaning.LOST and not again:
                    raise Lost from error
                if what is Meaning.HOMELESS:
                    raise Homeless from error
                if not left or what not in (Meaning.LOST, Meaning.AGAIN):
                    raise wrong(error) from None
                if what is Meaning.AGAIN:
                    await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
                continue
            except BaseException:
                self._pool.drop(connection)
                raise
            doubtful = self._pool.warned(connection)
            self._pool.give(connection)
            if doubtful:
                self.condition.trouble(UNCONFIRMED)
                if not again:
                    raise Lost
            return found
        raise unavailable()

    async def find_out(self, settle: Callable[[], Awaitable[Found]]) -> Found:
        """What `settle` says became of a lost write. It looks, and does what was not done, as often as
        needed.

        It may have been done on this server and not yet on its standby; once a later commit is on
        both, it is. Raises `StoreUnavailable` where the database stays away: then it remains unknown.
        """
        try:
            async with asyncio.timeout(PERSISTENCE_SECONDS):
                return await self._find_out(settle)
        except TimeoutError as error:
            message = "The store does not answer; what became of this is not known yet."
            raise WriteUnknown(message, retry_after_seconds=RETRY_SECONDS) from error

    async def _find_out(self, settle: Callable[[], Awaitable[Found]]) -> Found:
        pause = PAUSE_SECONDS
        refusals = 0
        while True:
            try:
                found = await settle()
                await self.rows("probe", again=True)
                return found
            except (Lost, StoreUnavailable) as error:
                log.debug("not known yet: %r", error)
            except RestanteError:  # the lost write itself was in the way, and is over now
                refusals += 1
                if refusals == TRIES:
                    raise
            await asyncio.sleep(random.uniform(pause / 2, pause))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
