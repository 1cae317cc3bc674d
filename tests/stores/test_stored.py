"""How much is kept of whom and for which upstream: requests and results, a page at a time."""

from collections import Counter

import msgspec
import pytest

from restante.core.clock import DAY
from restante.core.model import Body
from restante.ports import Store

from .samples import HEADERS, NOW, accepted, applied, begin, complete

FIELDS = sum(len(name) + len(value) for name, value in HEADERS)


async def kept(store: Store, *, page: int) -> dict[tuple[str, str], int]:
    total: Counter[tuple[str, str]] = Counter()
    after: int | None = 0
    while after is not None:
        found, after = await store.stored(after, page)
        total.update(found)
    return dict(total)


@pytest.mark.parametrize("page", [1, 2, 1000])
async def test_what_is_kept_is_counted_by_tenant_and_upstream(store: Store, page: int) -> None:
    assert await kept(store, page=page) == {}
    for tenant, upstream in (("one", "a"), ("one", "b"), ("two\0", "a"), ("one", "a")):
        await accepted(store, tenant=tenant, upstream=upstream, body=b"x" * 1000)
    begun = await applied(store, begin(await accepted(store, tenant="one", upstream="b", body=b"")))
    await store.write_chunk(begun.key, 1, 0, b"piece")
    done = await applied(store, complete(begun, body=Body(10**6, None)))
    found = await kept(store, page=page)
    sizes = {("one", "a"): 2000, ("one", "b"): 1_001_000, ("two\0", "a"): 1000}
    fields = {("one", "a"): 2, ("one", "b"): 3, ("two\0", "a"): 1}
    assert found.keys() == sizes.keys()
    for whose, size in found.items():
        assert 0 <= size - sizes[whose] - fields[whose] * FIELDS < 100 * (1 + fields[whose])  # sealed, too
    await store.purge([msgspec.structs.replace(done, sweep_at=NOW + 30 * DAY)], [])
    assert 2000 <= (await kept(store, page=page))["one", "a"] < 3000
