"""Which store a URL means."""

from ..core.errors import SettingError
from ..core.policy import Limits
from ..ports import Store
from ..stores.sqlite import SQLiteStore

SQLITE = "sqlite:///"


async def open_store(url: str, *, limits: Limits) -> Store:
    """Opens the store behind `url`: `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises `SettingError` where it cannot be used.
    """
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        return await SQLiteStore.open(url.removeprefix(SQLITE), limits=limits)
    raise SettingError("store", "expected sqlite:///PATH; other stores are not part of this version")
