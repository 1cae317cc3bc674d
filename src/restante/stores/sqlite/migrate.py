"""Numbered migrations: each is applied once, whole, in one transaction with its number.

A number is never reused, a script that was released is never edited; `schema.sql` shows what they lead to.
"""

import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from ...core.errors import SettingError
from .database import Database

APPLICATION = 0x52657374  # "Rest", in the file's header

log = logging.getLogger("restante.stores")

_MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(database: Database, path: str, chance: Callable[[int], bytes] = os.urandom) -> None:
    """Brings the file to the newest schema, one transaction per migration. A new one's secret is drawn."""
    connection = database.connection
    version = connection.pragma("user_version")
    scripts = migrations()
    if version > len(scripts):
        raise SettingError("store", f"{path} was written by a newer version of Restante")
    if version == 0:
        if connection.execute("SELECT count(*) FROM sqlite_schema").get:
            raise SettingError("store", f"{path} is a database of another program")
        connection.pragma("application_id", APPLICATION)
    elif connection.pragma("application_id") != APPLICATION:
        raise SettingError("store", f"{path} is a database of another program")
    if connection.pragma("journal_mode", "wal") != "wal":
        raise SettingError("store", f"{path} is on a file system that SQLite's write-ahead log cannot use")
    begun = time.monotonic()
    old = 0 < version < len(scripts)
    if old:
        rows = database.value("last_key")
        log.warning(
            "bringing %s from version %d to %d (up to %s transactions)",
            path,
            version,
            len(scripts),
            f"{rows:,}",
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        database.run("begin")
        try:
            connection.execute(script)
            if number == 1:
                database.run("insert_meta", (chance(16),))
            connection.pragma("user_version", number)
            database.run("commit")
        finally:
            database.roll_back()
    if old:
        log.warning("%s is at version %d after %.1f s", path, len(scripts), time.monotonic() - begun)


def migrations() -> list[str]:
    """The scripts, in order; their numbers have no gaps."""
    found = sorted(path for path in _MIGRATIONS.iterdir() if re.match(r"\d{4}_\w+\.sql$", path.name))
    assert [int(path.name[:4]) for path in found] == list(range(1, len(found) + 1))
    return [path.read_text(encoding="utf-8") for path in found]
