"""A store for a command, whether or not a server is at work on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from ..core.errors import SettingError
from ..core.policy import Limits
from ..ports.keyring import Keyring
from ..ports.sealing import Resealing
from .store import SQLITE, open_store


class Beside(Keyring, Resealing, Protocol):
    """What commands do to a store that servers may have."""


@asynccontextmanager
async def opened_beside(url: str, *, make: bool) -> AsyncIterator[Beside]:
    """The store at `url`. With `make` a file is made, or brought up to this version, if need be; else, and
    where that cannot be, `SettingError`."""
    if not url.startswith(SQLITE):
        store = await open_store(url, limits=Limits())
        try:
            yield store
        finally:
            await store.close()
        return
    from ..stores.sqlite.keyring import FileKeys

    path = url.removeprefix(SQLITE)
    beside = FileKeys.open(path)
    if beside is None and make:
        await (await open_store(url, limits=Limits())).close()
        beside = FileKeys.open(path)
    if beside is None:
        raise SettingError("store", "there is no such file, or it is of another version: restante migrate")
    try:
        yield beside
    finally:
        await beside.close()
