"""Access keys: only their hashes are kept; they are found by these, listed by tenant, revoked for good."""

import pytest

from restante.core.access import EVERYBODY, KEY_BYTES, AccessKey, Scope, digest_of, make_key
from restante.core.clock import DAY
from restante.ports import Store

from .conftest import Opener
from .samples import NOW


def an_access_key(
    store: Store, number: int = 1, *, tenant: str = "one", expires_at: int | None = None
) -> AccessKey:
    key, text = make_key(
        store.secret,
        number.to_bytes(KEY_BYTES, "big"),
        tenant=tenant,
        scopes=[Scope.SUBMIT, Scope.READ],
        now=NOW + number * 1000,
        expires_at=expires_at,
    )
    assert key.digest == digest_of(store.secret, text.encode())
    return key


async def test_a_key_is_found_by_its_hash_as_it_was_written(store: Store) -> None:
    keys = [an_access_key(store), an_access_key(store, 2, tenant="two", expires_at=NOW + DAY)]
    await store.add_keys(keys)
    unknown = digest_of(store.secret, b"rst_")
    asked = [keys[1].digest, unknown, keys[0].digest, keys[1].digest]
    assert await store.find_keys(asked) == [keys[1], None, keys[0], keys[1]]
    assert await store.find_keys([]) == []


async def test_keys_outlive_the_process(opened: Opener) -> None:
    store = await opened()
    key = an_access_key(store)
    await store.add_keys([key])
    store = await opened()
    assert await store.find_keys([key.digest]) == [key]


async def test_a_revoked_key_stays_so_from_when_it_was_first(store: Store) -> None:
    keys = [an_access_key(store, number) for number in (1, 2)]
    await store.add_keys(keys)
    for later in range(2):
        found = await store.revoke_keys([keys[0].id, "nobody"], tenant="one", now=NOW + DAY + later)
        assert found[0] is not None
        assert (found[0].id, found[0].revoked_at, found[1]) == (keys[0].id, NOW + DAY, None)
        assert not found[0].good(NOW)
    assert await store.find_keys([key.digest for key in keys]) == [found[0], keys[1]]


async def test_a_key_is_revoked_by_its_own_tenant_or_by_everybodys(store: Store) -> None:
    keys = [an_access_key(store, number) for number in (1, 2)]
    await store.add_keys(keys)
    assert await store.revoke_keys([keys[0].id], tenant="two", now=NOW) == [None]
    assert await store.find_keys([keys[0].digest]) == [keys[0]]
    for tenant, key in zip(("one", EVERYBODY), keys, strict=True):
        (revoked,) = await store.revoke_keys([key.id], tenant=tenant, now=NOW)
        assert revoked is not None
        assert revoked.revoked_at == NOW


async def test_a_tenants_keys_are_listed_newest_first_page_by_page(store: Store) -> None:
    mine = [an_access_key(store, number) for number in range(1, 6)]
    others = [an_access_key(store, number, tenant="two") for number in range(6, 8)]
    await store.add_keys(mine + others)
    for tenant, all in (("one", mine), ("two", others), (EVERYBODY, mine + others), ("nobody", [])):
        listed: list[AccessKey] = []
        after = None
        while page := await store.list_keys(tenant, after=after, limit=2):
            listed += page
            after = page[-1].id
        assert listed == sorted(all, key=lambda key: key.id, reverse=True)


async def test_keys_that_are_of_no_use_any_more_are_forgotten_after_a_while(store: Store) -> None:
    spans = [None, NOW + DAY, NOW + DAY, NOW + 9 * DAY]
    keys = [an_access_key(store, number, expires_at=span) for number, span in enumerate(spans, 1)]
    await store.add_keys(keys)
    await store.revoke_keys([keys[3].id], tenant="one", now=NOW + 2)
    assert await store.sweep_keys(NOW + 2, 10) == 0
    assert await store.sweep_keys(NOW + 3, 10) == 1
    assert await store.sweep_keys(NOW + DAY, 10) == 0
    assert [await store.sweep_keys(NOW + DAY + 1, 1) for _ in range(3)] == [1, 1, 0]
    assert await store.find_keys([key.digest for key in keys]) == [keys[0], None, None, None]


@pytest.mark.parametrize("id", ["", "\0", "é" * 300, "*", "%", "g"])
async def test_an_id_that_is_none_is_nobodys(store: Store, id: str) -> None:
    await store.add_keys([an_access_key(store)])
    assert await store.revoke_keys([id], tenant=EVERYBODY, now=NOW) == [None]
    assert len(await store.list_keys(EVERYBODY, after=id, limit=5)) == (id > "f")
