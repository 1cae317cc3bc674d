"""From a store in a file to a PostgreSQL: the one reads, the other writes, and neither sees the other."""

from collections.abc import Callable, Iterator

import msgspec

from ..core.errors import SettingError
from ..core.machine import TERMINAL
from ..core.model import Record
from ..ports import REQUEST_CHUNKS
from ..ports.moving import Arrival, Departure
from .store import POSTGRESQL, SQLITE

PIECES = 8
"""Pieces of a large body that are in memory at once."""


class Moved(msgspec.Struct):
    """What has been moved so far, of how many transactions."""

    count: int
    transactions: int = 0
    unfinished: int = 0
    events: int = 0
    body_bytes: int = 0


Told = Callable[[Moved], None]


async def move_store(source: str, target: str, *, told: Told = lambda moved: None) -> Moved:
    """Moves the store at URL `source` into the unused one at `target`: wholly, or not at all.

    `told` is called now and then. Raises `SettingError`.
    """
    if not source.startswith(SQLITE) or len(source) == len(SQLITE):
        raise SettingError("from", "expected sqlite:///PATH")
    if not target.startswith(POSTGRESQL):
        raise SettingError("store", "a store is moved into a PostgreSQL: postgresql://USER@HOST/DATABASE")
    from ..stores.postgres.arrival import PostgresArrival
    from ..stores.sqlite.departure import SQLiteDeparture

    try:
        departure = SQLiteDeparture.open(source.removeprefix(SQLITE))
    except SettingError as error:
        raise SettingError("from", str(error).removeprefix(f"{error.setting}: ")) from None
    try:
        arrival = await PostgresArrival.open(target)
        try:
            return await move(departure, arrival, told=told)
        finally:
            await arrival.close()
    finally:
        departure.close()


async def move(source: Departure, target: Arrival, *, told: Told) -> Moved:
    """All that `source` has goes to `target`, in batches of a bounded size."""
    moved = Moved(source.count)
    for records in source.records():
        for record in records:
            for key, attempt, size in _large_bodies(record):
                await _move_body(source, target, key, attempt, size)
                moved.body_bytes += size
        await target.take(records)
        for record in records:
            moved.events += await _move_events(source, target, record)
            moved.unfinished += record.transaction.status not in TERMINAL
            for part in (record.request, record.result):
                if part is not None and part.body.inline is not None:
                    moved.body_bytes += part.body.size
        moved.transactions += len(records)
        told(moved)
    if moved.transactions != moved.count:
        raise SettingError("from", "it changed while it was read; nothing was moved")
    await _move_outbox(source, target)
    last = None
    while keys := source.access_keys(last):
        await target.take_access_keys(keys)
        last = keys[-1].id
    await target.finish(
        secret=source.secret, last_key=source.last_key, paused=source.paused, sealing=source.sealing
    )
    return moved


async def _move_outbox(source: Departure, target: Arrival) -> None:
    """Endpoints, deliveries with their attempts, and the feed."""
    await target.take_endpoints(source.endpoints())
    last = 0
    while deliveries := source.deliveries(last):
        await target.take_deliveries(deliveries)
        last = deliveries[-1][0].number
    last = 0
    while entries := source.feed(last):
        await target.take_feed(entries)
        last = entries[-1].number


def _large_bodies(record: Record) -> Iterator[tuple[int, int, int]]:
    """Of those in pieces: key, attempt, bytes."""
    key, request, result = record.transaction.key, record.request, record.result
    if request is not None and request.body.inline is None:
        yield key, REQUEST_CHUNKS, request.body.size
    if result is not None and result.body.inline is None:
        yield key, result.attempt, result.body.size


async def _move_body(source: Departure, target: Arrival, key: int, attempt: int, size: int) -> None:
    """All the pieces there are: sealed ones are together longer than the body."""
    position, moved, more = 0, 0, True
    while more:
        pieces: list[tuple[int, int, int, bytes]] = []
        while more and len(pieces) < PIECES:
            piece = source.piece(key, attempt, position)
            if piece is None:
                more = False
            else:
                pieces.append((key, attempt, position, piece))
                position += 1
                moved += len(piece)
        await target.take_pieces(pieces)
    if moved < size:
        raise SettingError("from", "a part of a stored body is missing; nothing was moved")


async def _move_events(source: Departure, target: Arrival, record: Record) -> int:
    """Those that did not come with the record; how many it has altogether."""
    transaction = record.transaction
    last = record.events[-1].sequence
    while last < transaction.sequence:
        events = source.events(transaction.key, last)
        if not events:
            raise SettingError("from", "a part of an event log is missing; nothing was moved")
        await target.take_events(transaction, events)
        last = events[-1].sequence
    return last
