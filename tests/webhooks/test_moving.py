"""Webhooks move with their store: endpoints, deliveries with their attempts, and the cursors of the feed."""

from pathlib import Path

from restante.assembly.moving import move_store
from restante.core import delivery
from restante.core.delivery import Sought
from restante.core.endpoint import callbacks_id
from restante.core.policy import Limits
from restante.stores.postgres import PostgresStore
from restante.stores.sqlite import SQLiteStore

from ..stores.samples import NOW, accepted, applied, begin
from ..stores.test_outbox import LEASE, an_attempt, an_endpoint, told


async def test_webhooks_move_with_their_store(tmp_path: Path, database: str) -> None:
    path = f"{tmp_path}/restante.db"
    file = await SQLiteStore.open(path, limits=Limits())
    one = an_endpoint()
    assert await file.keep_endpoint(one, most=9)
    for _ in range(3):
        await told(file, one, callbacks=("https://b.example/x",))
    sent, _, lost = await file.take({"ep_1": 3}, NOW, NOW + LEASE)
    await file.settle([delivery.arrive(sent.delivery, an_attempt(answer=b"\x00"))])
    before = await file.deliveries(Sought(endpoint="ep_1"))
    calls = await file.deliveries(Sought(endpoint=callbacks_id("default")))
    entries = await file.feed("default", None, 100)
    await file.close()
    await move_store(f"sqlite:///{path}", database)
    store = await PostgresStore.open(database, limits=Limits())
    try:
        assert await store.endpoints() == [one]
        assert await store.deliveries(Sought(endpoint="ep_1")) == before
        assert await store.deliveries(Sought(endpoint=callbacks_id("default"))) == calls
        assert await store.attempts([sent.delivery.number]) == [[an_attempt(answer=b"\x00")]]
        assert await store.settle([delivery.arrive(lost.delivery, an_attempt())]) == [True]
        found = await store.feed("default", None, 100)
        assert [(entry.id, entry.behind, entry.last) for entry in found] == [
            (entry.id, entry.behind, entry.last) for entry in entries
        ]
        new = await applied(store, begin(await accepted(store)))
        rest = await store.feed("default", entries[2].cursor, 100)
        assert [entry.id for entry in rest] == [entry.id for entry in entries[3:]] + [new.id]
        _, (fresh, _) = await told(store, one, callbacks=("https://b.example/y",))
        assert fresh.number > max(found.number for found in before + calls)
    finally:
        await store.close()
