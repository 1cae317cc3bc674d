"""This process among others: its number, its lease, what it holds, and what those leave that are gone.

A process renews one lease, its own, on the database's clock; whatever it holds is held as long as that lasts.
Each acquisition is a number of its own, the process's in the upper half. Who finds that a lease has lapsed
frees everything of that process; so does who is started where it ran, and sees that it has ended. A process
that was taken for dead goes on under a new number: what it held under the old one it cannot begin any more.

After the database was away all leases may have lapsed at once. So nobody is taken for dead by a process that
has not itself been seen by the database for a while: first all get a chance to come back.

A database that failed over to a standby may have forgotten what it was told last: that something ended, or
was given back. So what it says is held by this process, and is not, is freed once in a lease.

How much is queued is counted beside the beats, in a small part of the time: a short queue at every beat, a
long one more seldom, and in between it is the last count and what this process has written since.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable

from ...core.clock import SECOND
from ...core.errors import RestanteError
from ..queued import Queued
from .database import Database
from .machine import has_ended, machine
from .migrate import migrations
from .rows import columns, read_text

log = logging.getLogger("restante.stores")

BEATS = 4
"""How often a lease is renewed in the time it lasts."""

DOUBT_BEATS = 4 * BEATS
"""For how many beats an acquisition of which nobody knows whether it was made is given back again."""

DISOWN_BEATS = BEATS
"""Every so many beats this process gives up what it is said to hold and does not."""

VOID_BEATS = 12 * BEATS
"""Every so many beats it is looked for holds that nobody's are."""

COUNT_SHARE = 0.01
"""The part of the time that is spent on counting what is queued."""

LONGEST_COUNT_REST_SECONDS = 300.0
"""It is counted that often in any case, also where a count was given up."""

TENANTS = 10_000
"""How many tenants are counted apart, those with the most."""

_NUMBERS = 1 << 32


class Nodes:
    """`entered` is called when a new number was taken, before anything is done under it. `freed` is told of
    upstreams that have work again, `adopted` of bodies that are to be dropped."""

    def __init__(
        self,
        database: Database,
        *,
        lease: int,
        entered: Callable[[], Awaitable[None]],
        freed: Callable[[str], None],
        adopted: Callable[[tuple[int, int]], object],
    ) -> None:
        self.node = 0
        self._machine = machine()
        self.queued = Queued({})  # as of the last count, and what this process has written since
        self.others = 0  # other processes on this database, as of the last beat
        self._database = database
        self._lease = lease
        self._entered = entered
        self._freed = freed
        self._adopted = adopted
        self._held: dict[int, int] = {}  # key, hold
        self._number = 0
        self._acquiring = 0  # the number of a claim whose answer has not come yet
        self._doubtful: dict[int, int] = {}  # hold, beats left
        self._owed: set[tuple[int, int]] = set()
        self._seen = 0.0  # when the last beat was, by the loop's clock
        self._void_in = VOID_BEATS
        self._disown_in = DISOWN_BEATS
        self._next_seconds = 0.0
        self._count_at = 0.0  # by the loop's clock
        self._task: asyncio.Task[None] | None = None
        self._counting: asyncio.Task[None] | None = None

    # -- holds

    def number(self) -> int:
        """For one acquisition, or one reading."""
        self._number = (self._number + 1) % _NUMBERS
        return self.node * _NUMBERS + self._number

    def acquiring(self, hold: int) -> None:
        """From now on, until the next one, rows may come that are held by this number; 0: none may."""
        self._acquiring = hold

    def hold(self, keys: Iterable[int], hold: int) -> None:
        for key in keys:
            self._held[key] = hold

    def held(self, key: int) -> int | None:
        """By which number this process holds it."""
        return self._held.get(key)

    def let_go(self, key: int) -> int | None:
        """It is not held any more; what its number was."""
        return self._held.pop(key, None)

    def doubt(self, hold: int) -> None:
        """Nobody knows, or cares, what this acquisition or reading brought: it is given back."""
        self._doubtful[hold] = DOUBT_BEATS

    def owe(self, pairs: Iterable[tuple[int, int]]) -> None:
        """These keys and holds could not be given back, and are with the next beat."""
        self._owed.update(pairs)

    # -- the lease

    async def enter(self) -> None:
        """Takes a number and what others have left. Then the lease is renewed until `leave`."""
        await self._register()
        dead = [node for node, process in await self._neighbours() if has_ended(process)]
        if dead:
            await self._bury(dead)
        self._void_in = 0
        await self._beat()
        if dead:  # the database may still have been doing what they asked last
            self._void_in = BEATS
        await self._count_quietly()
        self._task = asyncio.get_running_loop().create_task(self._live())

    async def leave(self) -> None:
        """Gives everything back at once."""
        for task in (self._task, self._counting):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        try:
            await self._database.rows("leave", self.node, again=True)
            await self._void()
        except RestanteError as error:
            log.warning("what this process held is free when its lease ends: %s", error)

    async def alone(self) -> bool:
        """Whether nobody else is there: who seems to be has a part of a lease to show that he is."""
        for pause in (0, self._lease / BEATS / SECOND):
            await asyncio.sleep(pause)
            await self._bury([])
            others, _ = await self._survey()
            if not others:
                await self._void()
                return True
        return False

    async def count(self) -> None:
        """Counts what is queued; when it is next done depends on how long that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.queued.begin_count()
        try:
            rows = await self._database.rows("count_ready", TENANTS, again=True)
            counts = {read_text(row[0]): row[1] for row in rows}
            self.queued.counted(counts, int(rows[0][2]) if rows else 0)
        finally:
            self._count_at = loop.time() + rest_after(loop.time() - began)

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(self._next_seconds)
            self._count_if_due()
            try:
                await self._beat()
            except RestanteError as error:
                log.debug("the lease was not renewed: %r", error)
                self._next_seconds = min(self._lease / BEATS / SECOND, 1.0) / 2
            except Exception as error:  # ours to mend; without a lease all work of this process would be lost
                log.error("the lease was not renewed: %s", type(error).__name__)
                log.debug("the lease was not renewed", exc_info=error)

    def _count_if_due(self) -> None:
        """In a task of its own: a lease is not to wait for it."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._count_at and (self._counting is None or self._counting.done()):
            self._counting = loop.create_task(self._count_quietly())

    async def _count_quietly(self) -> None:
        try:
            await self.count()
        except RestanteError as error:
            log.debug("what is queued was not counted: %r", error)

    async def _register(self) -> None:
        self.node = await self._database.value(
            "register", self._lease, self._machine, os.getpid(), len(migrations()), again=True
        )
        await self._entered()

    async def _neighbours(self) -> list[tuple[int, int]]:
        """Number and process of those on this machine."""
        if self._machine is None:
            return []
        return [
            tuple(row)
            for row in await self._database.rows("neighbours", self._machine, self.node, again=True)
        ]

    async def _survey(self) -> tuple[int, int]:
        """How many others there are, and in how many microseconds the first of their leases ends."""
        others, ends_in = (await self._database.rows("survey", self.node, again=True))[0]
        return others, ends_in

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        present = loop.time() - self._seen <= self._lease / SECOND
        if await self._database.value("beat", self.node, self._lease, again=True) is None:
            former = self.node
            await self._register()
            log.warning("this server was taken for dead and goes on as number %d", self.node)
            await self._database.rows("keep_loose", former, self.node, again=True)
        self._seen = loop.time()
        await self._give_back()
        self.others, ends_in = await self._survey()
        if present and self.others and ends_in <= 0:
            await self._bury([])
        self._disown_in -= 1
        if self._disown_in <= 0:
            await self._disown()
        self._void_in -= 1
        if self._void_in <= 0:
            await self._void()
        rest = self._lease // BEATS
        if 0 < ends_in < rest and self.others:
            rest = ends_in + SECOND // 100
        self._next_seconds = rest / SECOND

    async def _give_back(self) -> None:
        if self._owed:
            owed = list(self._owed)
            keys = [key for key, _ in owed]
            await self._database.rows("release", *columns(owed, 2), keys=keys, again=True)
            self._owed.difference_update(owed)
        if self._doubtful:
            await self._database.rows("release_holds", list(self._doubtful), again=True)
            await self._database.rows("release_readings", list(self._doubtful), again=True)
            self._doubtful = {hold: left - 1 for hold, left in self._doubtful.items() if left > 1}

    async def _disown(self) -> None:
        self._disown_in = DISOWN_BEATS
        first, last = self.node * _NUMBERS, self.node * _NUMBERS + self._number
        held = list(self._held)
        rows = await self._database.rows("disown", first, last, self._acquiring, held, again=True)
        if rows:
            log.warning("the database had forgotten what was given back or ended; it is taken up again")
        for (upstream,) in rows:
            self._freed(upstream)

    async def _bury(self, dead: list[int]) -> None:
        gone = await self._database.rows("bury", dead, again=True)
        if gone:
            log.warning("servers that are gone: %d; what was held by them is taken over", len(gone))
            self._void_in = 0

    async def _void(self) -> None:
        self._void_in = VOID_BEATS
        for (upstream,) in await self._database.rows("void_holds", again=True):
            self._freed(upstream)
        await self._database.rows("void_readings", again=True)
        for row in await self._database.rows("adopt_loose", self.node, again=True):
            self._adopted((row[0], row[1]))


def rest_after(seconds: float) -> float:
    """How long nothing is counted after a count that took so long."""
    return min(seconds / COUNT_SHARE, LONGEST_COUNT_REST_SECONDS)
