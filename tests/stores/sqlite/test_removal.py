"""What has ended is told of at the end of its retention, because here it is removed row by row."""

from pathlib import Path

import msgspec

from restante.core.clock import DAY
from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore

from ..samples import NOW, accepted, completed


async def test_what_has_ended_lapses_until_it_is_purged(tmp_path: Path) -> None:
    store = await SQLiteStore.open(str(tmp_path / "restante.db"), limits=Limits())
    done, other, open = await completed(store), await completed(store), await accepted(store)
    assert await store.lapsed(NOW + DAY, 10) == [done, other, open]
    await store.purge([msgspec.structs.replace(done, sweep_at=NOW + 30 * DAY)], [])
    assert await store.lapsed(NOW + DAY, 10) == [other, open]
    await store.close()
