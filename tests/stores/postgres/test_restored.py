"""A database restored from a copy, in which servers were at work that are no more."""

from restante.assembly.restored import doubt
from restante.core.status import Phase

from ...fakes import FakeClock
from ..samples import NOW, accepted, claimed, now_is
from .conftest import Opener, asked, killed


async def test_what_a_lost_server_had_in_hand_may_have_been_sent(opening: Opener, database: str) -> None:
    lost = await opening()
    waiting = await accepted(lost)
    assert await claimed(lost) == [waiting.key]
    await killed(lost)
    store = await opening()
    await asked(
        database,
        "UPDATE restante.nodes SET lease_until = '2020-01-01' WHERE node <> $1",
        store._nodes.node,
    )
    assert await store.alone()
    assert await doubt(store, clock=FakeClock(NOW)) == 1
    found = await now_is(store, waiting)
    assert found is not None
    assert found.phase is Phase.SENDING


async def test_a_server_that_is_there_is_not_overlooked(opening: Opener) -> None:
    server, store = await opening(), await opening()
    assert not await store.alone()
    await server.close()
    assert await store.alone()
