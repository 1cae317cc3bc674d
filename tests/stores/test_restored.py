"""A store restored from a copy: whatever may have been sent since the copy was made counts as interrupted."""

from restante.assembly.restored import MESSAGE, doubt
from restante.core.clock import HOUR
from restante.core.status import Phase
from restante.ports import Store

from ..fakes import FakeClock
from .conftest import Opener
from .samples import NOW, accepted, applied, begin, claimed, delay, now_is


async def doubted(store: Store) -> int:
    return await doubt(store, clock=FakeClock(NOW))


async def test_a_pause_in_the_copy_says_nothing_of_what_was_sent_after_it(opened: Opener) -> None:
    store = await opened()
    paused, other = await accepted(store), await accepted(store, upstream="another")
    await store.pause("default")
    assert await doubted(store) == 2
    store = await opened()
    assert await store.paused() == {"default"}
    assert await claimed(store) == []
    for transaction in (paused, other):
        found = await now_is(store, transaction)
        assert found is not None
        assert (found.phase, found.attempt) == (Phase.SENDING, 1)
        ((*_, last),) = await store.events([transaction.key])
        assert last.message == MESSAGE
    await store.resume("default")
    assert await claimed(store) == [paused.key]


async def test_what_is_due_only_later_or_was_being_sent_stays_as_it_is(opened: Opener) -> None:
    store = await opened()
    later = await accepted(store, due_at=NOW + 1)
    begun = await applied(store, begin(await accepted(store)))
    again = await applied(store, begin(await accepted(store)))
    again = await applied(store, delay(again, until=NOW + HOUR))
    looking = await applied(store, begin(await accepted(store)))
    looking = await applied(store, delay(looking, until=NOW, lookup=1))
    assert await doubted(store) == 0
    store = await opened()
    for transaction in (later, again, looking):
        assert await now_is(store, transaction) == transaction
    found = await now_is(store, begun)
    assert found is not None
    assert (found.phase, found.attempt) == (Phase.SENDING, 1)


async def test_marking_twice_marks_nothing_more(opened: Opener) -> None:
    store = await opened()
    await accepted(store)
    assert await doubted(store) == 1
    assert await doubted(await opened()) == 0
