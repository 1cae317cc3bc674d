"""Partitions: made before they are written to, dropped as a whole when nothing in them is needed any more.

What is gone with the result (requests, results, large bodies) is partitioned by the hour in which that
expires, what stays as history by the day. Any process makes and drops, whoever gets to it, and none waits for
another: a partition appears whole, one that is to be dropped is first taken out, which holds up no statement,
and what a process leaves half done the next one finds.

Whether something is needed is asked of the rows, not of settings, before a partition is taken out and again
before it is dropped.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

import asyncpg
import msgspec

from ...core.clock import HOUR, MINUTE
from ...core.errors import RestanteError
from ...ports import Measure
from .database import Database
from .keys import DAY_HOURS, FIRST_HOUR, LAST_HOUR, hour_of
from .places import HOURS, Partition
from .queries import query
from .trouble import unavailable

AHEAD_HOURS = 3
"""For so many hours more than is written now there are partitions."""

AHEAD_LEAST = 1
"""Hours. With less, something keeps all processes from making them, and an accept has to."""

GRACE = 5 * MINUTE
"""How long a partition is left alone when its time is over: clocks differ."""

LATE = HOUR
"""How long a partition may be kept after that."""

SCOPES = 1000
"""Requests whose idempotency keys are removed in one commit."""

RESTS = 19
"""After that it rests for so many times as long as that took: accepts go on beside it."""

LONGEST_REST_SECONDS = 1.0

MADE_AT_ONCE = 8
"""Partitions made in one transaction."""

LOCK_MS = 2000
"""How long making one waits for a lock: nobody has it for long, and accepts do not need it."""

LOCK = 0x52657374506172
"""Held by whoever makes partitions, until they are there ("RestPar")."""

_VACUUM = "autovacuum_vacuum_scale_factor = 0.05"
_WITH_BODIES = f"{_VACUUM}, toast.{_VACUUM}"

HALF = "fillfactor = 50"
"""Rows that came together change together; half of a page is room for that, and no index learns of it. With a
fifth, every other change went elsewhere, into each index anew, and left more behind than that room."""

OPTIONS = {
    "requests": _WITH_BODIES,
    "results": _WITH_BODIES,
    "chunks": _WITH_BODIES,
    "events": _WITH_BODIES,
    "endings": _VACUUM,
    "transactions": f"{HALF}, {_VACUUM}",
}
"""As the plain tables have them, but that theirs are filled more."""

log = logging.getLogger("restante.stores")

# An index by ranges of pages, which is all but free to keep: whether of an hour, or of all, there is any row
# after a moment.
_MOMENTS = (
    "CREATE INDEX ON restante.{name} USING brin (key, expires_at, created_at) WITH (autosummarize = on);"
)

_MAKE = """\
IF to_regclass('restante.{name}') IS NULL THEN
    CREATE TABLE restante.{name} (LIKE restante.{table} INCLUDING DEFAULTS INCLUDING STORAGE)
        WITH ({options});
    {more}
END IF;
IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = 'restante.{name}'::regclass) THEN
    ALTER TABLE restante.{table} ATTACH PARTITION restante.{name} FOR VALUES FROM ({first}) TO ({end});
END IF;"""


class Found(msgspec.Struct, frozen=True):
    partition: Partition
    attached: bool
    leaving: bool  # somebody has begun to take it out


class Partitions:
    """`make_room` is for a statement that found none, `tidy` is called every minute."""

    def __init__(self, database: Database, *, retention: int, history: int) -> None:
        self._database = database
        self._retention = retention
        self._history = history
        self._making = asyncio.Lock()
        database.make_room = self.make_room

    async def measures(self, now: int) -> tuple[Measure, ...]:
        """For how many hours ahead there are partitions, and how many there are that should be gone."""
        found = await self._find()
        there = {one.partition for one in found if one.attached and not one.leaving}
        ahead = -1
        while ahead < AHEAD_HOURS and self._written(now, ahead + 1) <= there:
            ahead += 1
        late = sum(now >= self._kept_until(one.partition) + GRACE + LATE for one in found)
        return (
            Measure("partitions_ahead_hours", ahead, AHEAD_LEAST, least=True),
            Measure("late_partitions", late, 0),
        )

    async def make_room(self, keys: Sequence[int]) -> None:
        """Makes the partitions of these keys. Raises `StoreUnavailable`."""
        hours = {hour for key in keys if (hour := hour_of(key)) is not None}
        if not hours:
            raise RestanteError("the store has no place for this")
        await self._make(Partition.of(table, hour) for table in HOURS for hour in hours)

    async def tidy(self, now: int) -> None:
        """Makes those that will be written soon, drops those that nobody needs."""
        found = await self._find()
        try:
            await self._make(self._wanted(now) - {one.partition for one in found if one.attached})
        finally:
            await self._drop(found, now)

    async def _drop(self, found: list[Found], now: int) -> None:
        """What is large and asks nothing first: before requests go, their idempotency keys do, bit by bit."""
        for one in sorted(
            found, key=lambda one: (one.attached, one.partition.table == "requests", one.partition)
        ):
            try:
                await self._leave(one, now)
            except RestanteError as error:  # somebody else is at it, or something is in its way
                log.debug("%s is dropped later: %s", one.partition.name, error)

    async def _find(self) -> list[Found]:
        return [
            Found(partition, attached, leaving)
            for name, attached, leaving in await self._database.rows("partitions", again=True)
            if (partition := Partition.named(name))
        ]

    def _written(self, now: int, ahead: int) -> set[Partition]:
        """What is written in so many hours."""
        hour = (now + self._retention) // HOUR + ahead
        return {Partition.of(table, min(max(hour, FIRST_HOUR), LAST_HOUR)) for table in HOURS}

    def _wanted(self, now: int) -> set[Partition]:
        return set().union(*[self._written(now, ahead) for ahead in range(AHEAD_HOURS + 1)])

    def _kept_until(self, partition: Partition) -> int:
        """No later than then nothing in it is needed, if nothing is left to do."""
        history = self._history if HOURS[partition.table] == DAY_HOURS else 0
        return partition.ends_at + history

    # -- making

    async def _make(self, wanted: Iterable[Partition]) -> None:
        some = sorted(set(wanted))
        async with self._making:
            for place in range(0, len(some), MADE_AT_ONCE):
                try:
                    await self._database.command(making(some[place : place + MADE_AT_ONCE]))
                except RestanteError as error:
                    if isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
                        log.warning(
                            "no partition can be made: this role must own what is in the schema restante"
                        )
                    raise unavailable(error) from error

    # -- dropping

    async def _leave(self, one: Found, now: int) -> None:
        """Takes it out if its time has come; drops it if it is out; puts it back if it is needed."""
        partition = one.partition
        past = now >= partition.ends_at + GRACE and await self._is_past(one, now)
        table, name = f"restante.{partition.table}", f"restante.{partition.name}"
        if one.attached:
            if not past:
                return
            if partition.table == "requests":
                await self._forget_scopes(partition)
            how = "FINALIZE" if one.leaving else "CONCURRENTLY"
            await self._database.command(f"ALTER TABLE {table} DETACH PARTITION {name} {how}")
            past = await self._is_past(Found(partition, attached=False, leaving=False), now)
        if past:
            await self._database.command(f"DROP TABLE IF EXISTS {name}")
        else:
            await self._make([partition])

    async def _is_past(self, one: Found, now: int) -> bool:
        partition = one.partition
        first, last = partition.keys
        apart = partition.table == "transactions" and not one.attached
        text = query("is_past", (first, last)).replace(":apart", partition.name if apart else "transactions")
        accepted_before = now - self._history if HOURS[partition.table] == DAY_HOURS else 1 << 62
        rows = await self._database.search(text, first, last, now, accepted_before)
        past: bool = rows[0][0]
        return past

    async def _forget_scopes(self, partition: Partition) -> None:
        first, last = partition.keys
        at: int | None = first - 1
        loop = asyncio.get_running_loop()
        while at is not None:
            began = loop.time()
            at = await self._database.value(
                "forget_scopes", at, last, SCOPES, keys=partition.keys, again=True
            )
            if at is not None:
                await asyncio.sleep(min((loop.time() - began) * RESTS, LONGEST_REST_SECONDS))


def making(partitions: Iterable[Partition]) -> str:
    """One transaction that makes what is not there yet."""
    steps = []
    for one in partitions:
        first, last = one.keys
        more = _MOMENTS.format(name=one.name) if one.table == "transactions" else ""
        steps.append(
            _MAKE.format(
                name=one.name,
                table=one.table,
                options=OPTIONS[one.table],
                more=more,
                first=first,
                end=last + 1,
            )
        )
    return (
        f"BEGIN; SET LOCAL lock_timeout = {LOCK_MS}; SELECT pg_advisory_xact_lock({LOCK});\n"
        f"DO $make$ BEGIN\n{chr(10).join(steps)}\nEND $make$;\nCOMMIT"
    )
