"""An answer that may be read once: one reservation at a time, and each is settled by its own reader only."""

import asyncio

import msgspec
import pytest

from restante.core.status import Reading
from restante.ports import Store

from .conftest import Opener
from .samples import a_submission, accepted, failed, now_is, read


async def reading(store: Store, key: int) -> int:
    token = await store.reserve_reading(key)
    assert token is not None
    return token


async def test_of_many_readers_one_has_the_reading(store: Store) -> None:
    done = await failed(store)
    tokens = await asyncio.gather(*(store.reserve_reading(done.key) for _ in range(10)))
    assert [token is None for token in tokens].count(False) == 1
    (token,) = [token for token in tokens if token is not None]
    assert await now_is(store, done) == msgspec.structs.replace(done, reading=Reading.RESERVED)
    assert await store.settle_reading(done.key, token, Reading.READ)
    assert await now_is(store, done) == msgspec.structs.replace(done, reading=Reading.READ)
    assert not await store.settle_reading(done.key, token, Reading.UNREAD)
    assert await store.reserve_reading(done.key) is None
    assert await store.reserve_reading(10**9) is None
    assert not await store.settle_reading(10**9, token, Reading.READ)


async def test_who_asks_again_under_the_same_token_has_it_already(store: Store) -> None:
    done = await failed(store)
    ours, theirs = store.reading_token(), store.reading_token()
    assert await store.reserve_reading(done.key, ours) == ours
    assert await store.reserve_reading(done.key, theirs) is None
    assert await store.reserve_reading(done.key, ours) == ours
    assert await store.settle_reading(done.key, ours, Reading.READ)
    assert await store.reserve_reading(done.key, ours) is None


async def test_who_gives_it_back_lets_the_next_one_in_and_has_no_say_any_more(store: Store) -> None:
    done = await failed(store)
    first = await reading(store, done.key)
    assert await store.settle_reading(done.key, first, Reading.UNREAD)
    second = await reading(store, done.key)
    assert second != first
    for after in Reading.READ, Reading.UNREAD:
        assert not await store.settle_reading(done.key, first, after)
    assert await store.reserve_reading(done.key) is None
    assert await store.settle_reading(done.key, second, Reading.READ)


async def test_a_reader_that_a_replay_has_overtaken_settles_nobody_elses_reading(store: Store) -> None:
    done = await failed(store, key=b"a")
    first = await reading(store, done.key)
    await store.accept([await a_submission(store, key=b"a")])
    second = await reading(store, done.key)
    assert not await store.settle_reading(done.key, first, Reading.UNREAD)
    assert await store.reserve_reading(done.key) is None  # the second one is still at it
    assert not await store.settle_reading(done.key, first, Reading.READ)
    assert await store.settle_reading(done.key, second, Reading.READ)
    assert await store.reserve_reading(done.key) is None


async def test_of_all_who_read_at_most_one_is_confirmed_each_time_it_becomes_readable(store: Store) -> None:
    done = await failed(store, key=b"a")
    tokens, confirmed = [], 0
    for _ in range(5):
        await store.accept([await a_submission(store, key=b"a")])  # readable once more
        tokens.append(await reading(store, done.key))
    ends = (store.settle_reading(done.key, token, Reading.READ) for token in tokens)
    confirmed = sum(await asyncio.gather(*ends))
    assert confirmed == 1
    assert await store.reserve_reading(done.key) is None


async def test_a_reading_moves_no_version(store: Store) -> None:
    done = await failed(store)
    await read(store, done)
    assert await now_is(store, done) == msgspec.structs.replace(done, reading=Reading.READ)


async def test_a_look_for_a_tenant_finds_the_tenants_alone(store: Store) -> None:
    mine, theirs = [await accepted(store, tenant=tenant) for tenant in ("one", "two")]
    ids = [mine.id, theirs.id, "no id", mine.id]
    assert await store.look(ids, tenant="one") == [mine, None, None, mine]
    assert await store.look(ids, tenant="two") == [None, theirs, None, None]
    assert await store.look(ids, tenant="*") == await store.look(ids) == [mine, theirs, None, mine]
    assert await store.look([mine.id], tenant="n\0body") == [None]


@pytest.mark.parametrize("count", [200])
async def test_whoever_asks_is_answered_in_turn_however_many_ask_at_once(opened: Opener, count: int) -> None:
    store = await opened(max_waiting=10)
    done = await failed(store)
    looked = asyncio.gather(*(store.look([done.id]) for _ in range(count)))
    results = asyncio.gather(*(store.results([done.key]) for _ in range(count)))
    logs = asyncio.gather(*(store.events([done.key]) for _ in range(count)))
    assert {one.id for (one,) in await looked if one is not None} == {done.id}
    assert len(await results) == len([log for (log,) in await logs if log]) == count
