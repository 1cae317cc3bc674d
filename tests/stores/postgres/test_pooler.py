"""Behind a pooler in transaction mode nothing is asked of a session."""

import asyncio

import pytest

from restante.core.errors import SettingError
from restante.core.model import Body
from restante.stores.postgres import PostgresStore

from ..samples import NOW, a_submission, accepted, applied, begin, claimed, complete, failed, now_is
from .conftest import Opener
from .pooler import Pooler


async def test_whole_lives_pass_through_a_pooler(opening: Opener, database: str) -> None:
    async with Pooler(database) as pooler:
        stores = [await opening(pooler.url + "&pooler=on") for _ in range(2)]
        held = await accepted(stores[0], claim=True)

        async def live(store: PostgresStore, place: int) -> None:
            submission = await a_submission(
                store, key=b"%d-%d" % (stores.index(store), place), body=Body(3, None)
            )
            key = submission.transaction.key
            await store.write_chunk(key, 0, 0, b"abc")
            await store.accept([submission])
            begun = await applied(store, begin(submission.transaction))
            done = await applied(store, complete(begun))
            assert await now_is(store, begun) == done
            assert await store.read_chunk(key, 0, 0) == b"abc"
            await store.purge([], [done])
            assert await now_is(store, begun) is None

        await asyncio.gather(*[live(store, place) for store in stores for place in range(40)])
        assert await claimed(stores[1]) == []
        await stores[0].release([held.key])
        assert await claimed(stores[1], limit=1) == [held.key]
        assert await stores[1].next_due("default", NOW) is None
        refused = await failed(stores[0])
        tokens = await asyncio.gather(*[store.reserve_reading(refused.key) for store in stores * 5])
        assert tokens.count(None) == 9
        await stores[0].renew([held.key], NOW + 1)
        for store in stores:
            await store.ping()
            await store._nodes._beat()
        assert pooler.transactions > 100
        for store in stores:
            await store.close()


async def test_a_pooler_nobody_spoke_of_is_told_at_the_start(opening: Opener, database: str) -> None:
    async with Pooler(database) as pooler:
        with pytest.raises(SettingError, match="pooler=on"):
            await opening(pooler.url)
