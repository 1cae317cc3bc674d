"""Master keys for tests, and stores that are sealed under them."""

from base64 import b64encode
from pathlib import Path

import msgspec

from restante.assembly.sealing import seal_store
from restante.config import Settings, settings
from restante.config.sealing import Sealing
from restante.ports import Store

from ..fakes import FakeClock

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def written(key: bytes) -> str:
    """As an operator has it."""
    return b64encode(key).decode()


def settings_with(folder: Path, *masters: bytes, **more: object) -> Settings:
    """Settings that seal under the first of these."""
    read = settings({"upstream": {"url": "http://127.0.0.1:9"}, **more})
    places = tuple(f"env:KEY{number}" for number, _ in enumerate(masters))
    return msgspec.structs.replace(
        read, sealing=Sealing(places=places, folder=str(folder), masters=masters) if masters else None
    )


async def sealing(
    store: Store, folder: Path, *masters: bytes, clock: FakeClock | None = None, **more: object
) -> Store:
    """The store, sealed; closed where that is refused."""
    try:
        return await seal_store(
            store, settings_with(folder, *(masters or (OLD,)), **more), clock or FakeClock()
        )
    except BaseException:
        await store.close()
        raise
