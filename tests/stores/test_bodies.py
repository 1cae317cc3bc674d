"""Large bodies: in pieces before anything refers to them, gone when nothing does."""

import asyncio
import os

import msgspec

from restante.core.model import Body
from restante.ports import REQUEST_CHUNKS, Store

from .conftest import Opener
from .samples import a_key, a_submission, accepted, applied, begin, complete, completed, now_is

PIECE = 128 * 1024


async def written(store: Store, key: int, attempt: int, count: int) -> list[bytes]:
    pieces = [os.urandom(1000) for _ in range(count)]
    await asyncio.gather(
        *[store.write_chunk(key, attempt, place, piece) for place, piece in enumerate(pieces)]
    )
    return pieces


async def read(store: Store, key: int, attempt: int, count: int) -> list[bytes | None]:
    return [await store.read_chunk(key, attempt, place) for place in range(count)]


async def test_pieces_are_read_as_they_were_written(store: Store) -> None:
    submission = await a_submission(store, body=Body(3000, None))
    key = submission.transaction.key
    pieces = await written(store, key, REQUEST_CHUNKS, 3)
    await store.accept([submission])
    assert await read(store, key, REQUEST_CHUNKS, 4) == [*pieces, None]
    assert await store.requests([key]) == [submission.request]
    assert await store.read_chunk(key, 1, 0) is None


async def test_a_body_that_something_refers_to_is_not_dropped(store: Store) -> None:
    submission = await a_submission(store, body=Body(3000, None))
    key = submission.transaction.key
    pieces = await written(store, key, REQUEST_CHUNKS, 3)
    await store.accept([submission])
    await store.drop_chunks(key, REQUEST_CHUNKS)
    assert await read(store, key, REQUEST_CHUNKS, 3) == pieces


async def test_a_body_that_nothing_refers_to_is_dropped_whole(store: Store) -> None:
    key = await a_key(store)
    await written(store, key, REQUEST_CHUNKS, 100)
    kept = await written(store, key, 1, 2)
    await store.drop_chunks(key, REQUEST_CHUNKS)
    assert await read(store, key, REQUEST_CHUNKS, 100) == [None] * 100
    assert await read(store, key, 1, 2) == kept
    await store.drop_chunks(key, 7)  # there is none


async def test_orphaned_pieces_are_gone_after_a_start(opened: Opener) -> None:
    store = await opened()
    orphan = await a_key(store)
    await written(store, orphan, REQUEST_CHUNKS, 40)
    begun = await applied(store, begin(await accepted(store)))
    await written(store, begun.key, 1, 3)  # of an answer that never was complete
    submission = await a_submission(store, body=Body(2000, None))
    kept = submission.transaction.key
    pieces = await written(store, kept, REQUEST_CHUNKS, 2)
    await store.accept([submission])

    store = await opened()
    assert await a_key(store) > orphan
    await store.drop_chunks(0, 0)  # waits for what the start has begun
    await store.drop_chunks(orphan, REQUEST_CHUNKS)
    await store.drop_chunks(begun.key, 1)
    assert await read(store, orphan, REQUEST_CHUNKS, 40) == [None] * 40
    assert await read(store, begun.key, 1, 3) == [None] * 3
    assert await read(store, kept, REQUEST_CHUNKS, 2) == pieces


async def test_a_large_answer_is_kept_until_its_transaction_is_purged(store: Store) -> None:
    begun = await applied(store, begin(await accepted(store)))
    pieces = await written(store, begun.key, 1, 50)
    done = await applied(store, complete(begun, body=Body(50_000, None)))
    await store.drop_chunks(begun.key, 1)
    assert await read(store, begun.key, 1, 50) == pieces
    await store.purge([msgspec.structs.replace(done, sweep_at=done.sweep_at + 1)], [])
    assert await read(store, begun.key, 1, 50) == [None] * 50
    assert await store.results([begun.key]) == [None]


async def test_an_answer_that_came_too_late_can_be_dropped(store: Store) -> None:
    done = await completed(store)
    await written(store, done.key, 2, 3)
    await store.drop_chunks(done.key, 2)
    assert await read(store, done.key, 2, 3) == [None] * 3


async def test_small_writes_do_not_wait_for_large_ones(store: Store) -> None:
    key = await a_key(store)
    order: list[str] = []

    async def upload() -> None:
        for group in range(4):
            places = range(group * 32, group * 32 + 32)
            await asyncio.gather(*[store.write_chunk(key, 0, place, bytes(PIECE)) for place in places])
        order.append("upload")

    async def accept() -> None:
        for _ in range(5):
            await accepted(store)
        order.append("accepts")

    await asyncio.gather(upload(), accept())
    assert order == ["accepts", "upload"]
    assert await store.read_chunk(key, 0, 127) == bytes(PIECE)


async def test_an_accept_given_up_on_leaves_no_row_without_its_body(store: Store) -> None:
    submission = await a_submission(store, body=Body(3000, None))
    key = submission.transaction.key
    pieces = await written(store, key, REQUEST_CHUNKS, 3)
    accept = asyncio.ensure_future(store.accept([submission]))
    await asyncio.sleep(0)
    accept.cancel()
    await asyncio.gather(accept, return_exceptions=True)
    await store.drop_chunks(key, REQUEST_CHUNKS)
    there = await now_is(store, submission.transaction) is not None
    assert await read(store, key, REQUEST_CHUNKS, 3) == (pieces if there else [None] * 3)
