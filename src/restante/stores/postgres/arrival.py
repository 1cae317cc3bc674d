"""A database that was never used and takes over another store, in one transaction: wholly, or not at all.

A record goes in by the statements that servers use: as a submission that looks as it looks now, then as a
change that leads nowhere and brings the other events and the result. Servers cannot enter until it is over,
so none is left with the secret of before.
"""

from collections.abc import Sequence, Set
from typing import Any

import asyncpg
import msgspec

from ...core.access import AccessKey
from ...core.delivery import Attempt, Delivery
from ...core.endpoint import Endpoint
from ...core.errors import SettingError
from ...core.feed import Kept
from ...core.model import Body, Change, Event, Record, Request, Submission, Transaction
from .entries import arguments_of, entry_of
from .keyring import WIDTH as KEY_WIDTH
from .keyring import row_of
from .migrate import migrate, reached
from .outbox import endpoint_row
from .queries import QUERIES, query
from .rows import (
    ATTEMPT_WIDTH,
    DELIVERY_WIDTH,
    EVENT_WIDTH,
    FEED_WIDTH,
    RESULT_WIDTH,
    STEP_WIDTH,
    columns,
    spelling,
    step_of,
    text,
)
from .url import Target, read_url

STATEMENT_SECONDS = 60.0
COMMIT_SECONDS = 600.0
"""A commit may have to wait for a standby that has a large transaction to take in."""

LAST_NUMBER = 1 << 62
"""More endpoints than anybody has."""

NOBODY = 0
"""The number of no process: pieces belong to it until their record is there."""

NOTHING = Request((), Body(0, b""))

_SETTINGS = """
SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL lock_timeout = '5s'; SET LOCAL enable_seqscan = off; SET LOCAL jit = off
"""


class PostgresArrival:
    """Made by `open`, ended by `close`; what was not finished then is undone by the server."""

    def __init__(self, target: Target, connection: Any) -> None:
        self._target = target
        self._connection = connection

    @classmethod
    async def open(cls, url: str) -> "PostgresArrival":
        """Reaches and migrates the database; raises `SettingError` where it is, or ever was, in use."""
        target = read_url(url)
        await migrate(target)
        arrival = cls(target, await reached(target))
        try:
            await arrival._begin()
        except BaseException:
            await arrival.close()
            raise
        return arrival

    async def _begin(self) -> None:
        await self._execute("BEGIN")
        await self._execute(_SETTINGS)
        await self._execute(QUERIES["keep_servers_out"])
        servers, used = (await self._rows("usage"))[0]
        if used:
            raise self._refused(
                "it has transactions already, or had some; a store is only moved into an unused database"
            )
        if servers:
            raise self._refused("a server is at work on it")

    async def take_pieces(self, pieces: Sequence[tuple[int, int, int, bytes]]) -> None:
        await self._rows("insert_chunks", *columns(pieces, 4), NOBODY)

    async def take(self, records: Sequence[Record]) -> None:
        entries = [
            entry_of(
                Submission(
                    transaction=record.transaction,
                    event=record.events[0],
                    request=record.request or NOTHING,
                    idempotency=record.idempotency,
                ),
                None,
            )
            for record in records
        ]
        written = await self._rows("accept", *arguments_of(entries))
        if len(written) != len(entries):
            raise self._refused("a body or an idempotency key is not as it should be; nothing was moved")
        await self._change(
            [
                Change(
                    before=record.transaction,
                    after=record.transaction,
                    events=record.events[1:],
                    result=record.result,
                )
                for record in records
                if record.events[1:] or record.result
            ]
        )
        bare = [record.transaction.key for record in records if record.request is None]
        if bare:
            await self._rows("purge", bare, [], [], [], NOBODY)

    async def take_events(self, transaction: Transaction, events: Sequence[Event]) -> None:
        await self._change([Change(before=transaction, after=transaction, events=tuple(events))])

    async def take_endpoints(self, endpoints: Sequence[Endpoint]) -> None:
        for endpoint in endpoints:
            await self._rows("insert_endpoint", *endpoint_row(endpoint), LAST_NUMBER)

    async def take_deliveries(self, deliveries: Sequence[tuple[Delivery, list[Attempt]]]) -> None:
        rows = [(delivery.number, *spelling.delivery(delivery)) for delivery, _ in deliveries]
        attempts = [spelling.attempt(one.number, attempt) for one, log in deliveries for attempt in log]
        await self._rows("import_deliveries", *columns(rows, DELIVERY_WIDTH + 1))
        await self._rows("import_attempts", *columns(attempts, ATTEMPT_WIDTH))
        await self._execute(QUERIES["restart_deliveries"].format(first=deliveries[-1][0].number + 1))

    async def take_feed(self, entries: Sequence[Kept]) -> None:
        rows = [(one.number, text(one.tenant), *msgspec.structs.astuple(one)[2:]) for one in entries]
        await self._rows("import_feed", *columns(rows, FEED_WIDTH))
        await self._execute(QUERIES["restart_feed"].format(first=entries[-1].number + 1))

    async def take_access_keys(self, keys: Sequence[AccessKey]) -> None:
        await self._rows("insert_access_keys", *columns([row_of(key) for key in keys], KEY_WIDTH))

    async def finish(
        self, *, secret: bytes, last_key: int, paused: Set[str], sealing: bytes | None = None
    ) -> None:
        for upstream in paused:
            await self._rows("pause", text(upstream))
        await self._rows("replace_secret", secret)
        if sealing is not None:
            await self._rows("bring_sealing", sealing)
        await self._execute(QUERIES["restart_keys"].format(first=last_key + 1))
        try:
            await self._connection.execute("COMMIT", timeout=COMMIT_SECONDS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise self._refused(
                "it went away at the commit; move again: if it was done, that is refused"
            ) from error

    async def close(self) -> None:
        self._connection.terminate()

    async def _change(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        steps = [step_of(change, None) for change in changes]
        moved = await self._rows(
            "apply_changes",
            *columns([step.row for step in steps], STEP_WIDTH),
            *columns([event for step in steps for event in step.events], EVENT_WIDTH),
            *columns([result for step in steps for result in step.results], RESULT_WIDTH),
        )
        if len(moved) != len(steps) or not all(row[1] for row in moved):
            raise self._refused("a transaction is not as it was written; nothing was moved")

    async def _rows(self, name: str, *arguments: Any) -> list[Any]:
        try:
            rows: list[Any] = await self._connection.fetch(query(name), *arguments, timeout=STATEMENT_SECONDS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
            raise self._broken(error) from error
        return rows

    async def _execute(self, text: str) -> None:
        try:
            await self._connection.execute(text, timeout=STATEMENT_SECONDS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise self._broken(error) from error

    def _broken(self, error: BaseException) -> SettingError:
        match error:
            case asyncpg.LockNotAvailableError():
                why = "somebody else is at work on it"
            case asyncpg.InsufficientPrivilegeError():
                why = "this role may not; it must own the schema restante"
            case asyncpg.PostgresError():
                why = f"the server refuses ({error.sqlstate}); nothing was moved"
            case _:
                why = "the connection broke, or no answer came in time; nothing was moved"
        return self._refused(why)

    def _refused(self, why: str) -> SettingError:
        return SettingError("store", f"{self._target.shown}: {why}")
