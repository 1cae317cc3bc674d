"""A new master key: beside servers, broken off anywhere, and the old one is of no use afterwards."""

from pathlib import Path

import msgspec
import pytest

from restante.assembly.sealing import rotate, seal_store
from restante.core.errors import SettingError
from restante.core.model import Transaction
from restante.core.policy import Limits
from restante.ports import Store
from restante.stores.postgres import PostgresStore
from restante.stores.sqlite import SQLiteStore

from ..fakes import FakeClock
from ..matrix import rows
from .keys import NEW, OLD, settings_with
from .test_store import MARKER, an_endpoint, submitted


@pytest.fixture(params=["file", "database"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"sqlite:///{tmp_path}/restante.db"
    found: str = request.getfixturevalue("database")
    return found


class Rotation:
    """A store, its folder, and who opens them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder / "keys"

    async def open(self, *masters: bytes) -> Store:
        store: Store
        if self.url.startswith("sqlite"):
            store = await SQLiteStore.open(self.url.removeprefix("sqlite:///"), limits=Limits())
        else:
            store = await PostgresStore.open(self.url, limits=Limits())
        try:
            return await seal_store(store, settings_with(self.folder, *masters, store=self.url), FakeClock())
        except BaseException:
            await store.close()
            raise

    async def rotate(self, *masters: bytes, **more: object) -> tuple[int, int]:
        return await rotate(settings_with(self.folder, *masters, store=self.url), **more)  # type: ignore[arg-type]


@pytest.fixture
def rotation(url: str, tmp_path: Path) -> Rotation:
    return Rotation(url, tmp_path)


async def filled(store: Store) -> Transaction:
    for number in range(3):
        assert await store.keep_endpoint(an_endpoint(number), most=10)
    return await submitted(store)


async def test_it_is_done_beside_a_server_and_the_old_key_opens_nothing_then(rotation: Rotation) -> None:
    store = await rotation.open(OLD)
    kept = await filled(store)
    hashing = store.hashing
    await store.close()
    server = await rotation.open(NEW, OLD)
    assert await rotation.rotate(NEW, OLD) == (3, 3)
    assert await rotation.rotate(NEW, OLD) == (0, 0)
    found = await server.endpoints()
    assert [one.secrets for one in found] == [an_endpoint().secrets] * 3
    changed = msgspec.structs.replace(found[0], active=False, version=found[0].version + 1)
    assert await server.keep_endpoint(changed, most=10)
    assert await server.requests([kept.key]) != [None]
    await server.close()
    with pytest.raises(SettingError, match="which is not listed"):
        await rotation.open(OLD)
    store = await rotation.open(NEW)
    assert store.hashing == hashing
    (request,) = await store.requests([kept.key])
    assert request is not None
    assert (request.body.inline or b"").count(MARKER) == 1
    await store.close()


@pytest.mark.parametrize("broken", rows(range(6), quick=lambda step: step in (1, 4)))
async def test_broken_off_anywhere_it_is_begun_again(rotation: Rotation, broken: int) -> None:
    store = await rotation.open(OLD)
    kept = await filled(store)
    await store.close()
    steps = 0

    def told(what: str, done: int, count: int) -> None:
        nonlocal steps
        if steps == broken:
            raise KeyboardInterrupt
        steps += 1

    with pytest.raises(KeyboardInterrupt):
        await rotation.rotate(NEW, OLD, told=told)
    store = await rotation.open(NEW, OLD)
    assert await store.requests([kept.key]) != [None]
    await store.close()
    await rotation.rotate(NEW, OLD)
    store = await rotation.open(NEW)
    assert await store.requests([kept.key]) != [None]
    assert [one.secrets for one in await store.endpoints()] == [an_endpoint().secrets] * 3
    await store.close()


async def test_there_must_be_something_to_rotate(rotation: Rotation) -> None:
    with pytest.raises(SettingError, match="sealing: there are no keys"):
        await rotation.rotate()
    with pytest.raises(SettingError, match=r"sealing\.folder: .* cannot be used: No such file"):
        await rotation.rotate(NEW, OLD)
    store = await rotation.open(OLD)
    await store.close()
    with pytest.raises(SettingError, match=r"sealing\.keys: the data key \S+ is under the master key"):
        await rotation.rotate(NEW)
