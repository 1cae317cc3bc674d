"""An upstream that is paused: nothing of it is claimed, whatever is accepted and whoever opens the store."""

from restante.core.model import Load
from restante.ports import Store

from .conftest import Opener
from .samples import NOW, accepted, applied, begin, claimed, completed


async def test_nothing_of_a_paused_upstream_is_claimed(store: Store) -> None:
    paused, other = await accepted(store), await accepted(store, upstream="another")
    for _ in range(2):
        await store.pause("default")
    assert await store.paused() == {"default"}
    later = await accepted(store)
    assert await claimed(store) == []
    assert await claimed(store, upstream="another") == [other.key]
    for _ in range(2):
        await store.resume("default")
    assert await store.paused() == frozenset()
    assert await claimed(store) == [paused.key, later.key]


async def test_a_pause_outlives_the_process(opened: Opener) -> None:
    store = await opened()
    pending = await accepted(store)
    await store.pause("default")
    store = await opened()
    assert await store.paused() == {"default"}
    assert await claimed(store) == []
    await store.resume("default")
    assert await claimed(store) == [pending.key]


async def test_what_each_upstream_has_to_do_is_counted(store: Store) -> None:
    assert await store.loads() == {}
    for number in range(3):
        await accepted(store, claim=not number, due_at=NOW + number)
    await applied(store, begin(await accepted(store, claim=True)))
    await completed(store)
    await accepted(store, upstream="another")
    assert await store.loads() == {
        "default": Load(running=1, queued=3),
        "another": Load(running=0, queued=1),
    }
