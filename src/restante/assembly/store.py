"""Which store a URL means. A store's driver is imported only where that store is meant."""

import os

from ..core.errors import SettingError
from ..core.policy import Limits
from ..ports import Store

SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql://", "postgres://")


async def open_store(url: str, *, limits: Limits, apart: bool = False) -> Store:
    """Opens the store behind `url`: `sqlite:///relative.db`, `sqlite:////absolute.db` or
    `postgresql://user@host/database`. What is of an older version is brought up.

    With `apart`, what is written to a file is written by a process of its own, which ends with this one.
    Raises `SettingError` where it cannot be used.
    """
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        from ..stores.sqlite import SQLiteStore

        return await SQLiteStore.open(url.removeprefix(SQLITE), limits=limits, apart=apart)
    if url.startswith(POSTGRESQL):
        from ..stores.postgres import PostgresStore

        return await PostgresStore.open(url, limits=limits)
    raise SettingError("store", "expected sqlite:///PATH or postgresql://USER@HOST/DATABASE")


async def open_served(url: str, *, limits: Limits) -> Store:
    """The same for a server that has its process to itself: it writes on a second core, where it has one."""
    return await open_store(url, limits=limits, apart=len(os.sched_getaffinity(0)) > 1)


async def migrate_store(url: str) -> str:
    """Brings the store behind `url` up to this version; what was done, in words."""
    if url.startswith(POSTGRESQL):
        from ..stores.postgres.migrate import migrate
        from ..stores.postgres.url import read_url

        before, after = await migrate(read_url(url))
        return f"from version {before} to {after}" if after > before else f"at version {after} already"
    store = await open_store(url, limits=Limits())
    await store.close()
    return "at this program's version"


async def migration_sql(url: str) -> str:
    """The SQL that `migrate_store` would run on a PostgreSQL."""
    if not url.startswith(POSTGRESQL):
        raise SettingError(
            "store", "only the SQL for a PostgreSQL can be shown: postgresql://USER@HOST/DATABASE"
        )
    from ..stores.postgres.migrate import pending
    from ..stores.postgres.url import read_url

    return await pending(read_url(url))
