"""How idempotency keys are hashed, and when that changes: never while somebody looks for them as before."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from restante.core.clock import DAY, SECOND
from restante.core.errors import SettingError
from restante.core.idempotency import plain
from restante.core.model import Accepted, IdempotencyKey
from restante.core.policy import Limits
from restante.stores.postgres import PostgresStore

from ...postgres import Server
from ...sealing.keys import sealing
from ...sealing.test_store import PLAIN, submit_again
from ..samples import NOW, accepted
from .conftest import Opener, asked, killed
from .test_upgrade import at_version

BEFORE = 11
"""The last version without keyed hashes."""

KNOWN = IdempotencyKey(b"s" * 32, b"f" * 32)

ENTER = """
    INSERT INTO restante.nodes (node, lease_until)
    VALUES (nextval('restante.node_numbers'), clock_timestamp() + interval '1 hour')
"""
"""As the version before enters."""


@pytest.fixture
async def url(postgres: Server) -> str:
    return await at_version(postgres, BEFORE)


async def test_hashes_are_keyed_from_the_first_start_at_which_nobody_is_there(url: str) -> None:
    await asked(url, ENTER)
    store = await PostgresStore.open(url, limits=Limits())
    assert store.hashing == plain()
    await accepted(store, key=b"a")
    await asked(url, "DELETE FROM restante.nodes WHERE version IS NULL")
    other = await PostgresStore.open(url, limits=Limits())
    assert other.hashing == plain()
    await store.close()
    await other.close()
    store = await PostgresStore.open(url, limits=Limits())
    assert store.hashing == plain(until=NOW + DAY).followed_by(store.secret)
    await store.close()


async def test_of_many_that_start_at_once_all_hash_alike(url: str) -> None:
    stores = await asyncio.gather(*[PostgresStore.open(url, limits=Limits()) for _ in range(5)])
    (hashing,) = {store.hashing for store in stores}
    assert hashing == plain().followed_by(stores[0].secret)
    for store in stores:
        await store.close()


async def test_a_new_database_hashes_under_keys_and_looks_for_nothing_twice(database: str) -> None:
    store = await PostgresStore.open(database, limits=Limits())
    assert store.hashing == plain().followed_by(store.secret)
    assert store.hashing.of(KNOWN, 0).former == ()
    await store.close()


async def test_a_program_that_does_not_know_of_it_cannot_enter_any_more(database: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="too_old"):
        await asked(database, ENTER)


async def test_a_database_that_needs_a_newer_program_is_refused(database: str) -> None:
    await asked(database, "INSERT INTO restante.migrations (number) VALUES (1000)")
    await asked(database, "UPDATE restante.meta SET least = 1000")
    with pytest.raises(SettingError, match=r"a newer version of Restante is needed"):
        await PostgresStore.open(database, limits=Limits())


async def test_a_store_is_not_sealed_while_a_server_without_keys_is_at_work(
    opening: Opener, tmp_path: Path
) -> None:
    await opening()
    store = await opening(lease=SECOND)
    with pytest.raises(SettingError, match="stop them all first"):
        await sealing(store, tmp_path / "keys")
    assert (await opening()).sealing is None


async def test_who_is_about_to_leave_or_was_killed_is_waited_for(opening: Opener, tmp_path: Path) -> None:
    gone, leaving, store = await opening(lease=SECOND), await opening(), await opening(lease=2 * SECOND)
    await killed(gone)
    sealed = asyncio.create_task(sealing(store, tmp_path / "keys"))
    await leaving.close()
    assert (await sealed).sealing is not None


async def test_all_may_be_started_with_keys_at_once(opening: Opener, tmp_path: Path) -> None:
    stores = [await opening() for _ in range(4)]
    sealed = await asyncio.gather(*[sealing(store, tmp_path / "keys") for store in stores])
    (hashing,) = {store.hashing for store in sealed}
    assert hashing.secret not in (None, stores[0].hashing.secret)


async def test_equal_submits_are_one_across_the_change_whoever_they_come_to(
    opening: Opener, tmp_path: Path
) -> None:
    bare = await opening()
    first = await submit_again(bare)
    assert isinstance(first, Accepted)
    await bare.close()
    stores = [await sealing(await opening(), tmp_path / "keys") for _ in range(2)]
    again = await asyncio.gather(*[submit_again(store) for store in stores * 10])
    assert again == [Accepted(first.transaction, replayed=True)] * 20
    other = IdempotencyKey(b"o" * 32, PLAIN.fingerprint)
    new = await asyncio.gather(*[submit_again(store, other) for store in stores * 10])
    (fresh,) = [one for one in new if isinstance(one, Accepted) and not one.replayed]
    assert new.count(Accepted(fresh.transaction, replayed=True)) == 19
