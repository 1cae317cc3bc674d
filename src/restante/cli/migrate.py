"""`restante migrate`: brings a store up to this version, says how that would be done, or moves one."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.settings import STORE_URL, TOP
from ..config.table import Table
from .sources import CONFIG, DEFAULT_FILE, gather

if TYPE_CHECKING:
    from ..assembly.moving import Moved

SHOWN_SECONDS = 0.2
"""Between two lines of progress, each in the place of the one before."""


@click.command(short_help="Bring the store up to this version.")
@click.option("--store", metavar="URL", help="The store; without it the one of the settings.")
@click.option(
    "--config", metavar="FILE", help=f"The settings; without it {DEFAULT_FILE}, if there is one here."
)
@click.option("--show-sql", is_flag=True, help="Print what would be run on a PostgreSQL, and run nothing.")
@click.option(
    "--from",
    "source",
    metavar="URL",
    help="Move this store, sqlite:///PATH, into the PostgreSQL, which is unused.",
)
@click.option(
    "--restored",
    is_flag=True,
    help="After a restore: what is due in the store may have been sent since, and counts as interrupted.",
)
def migrate(
    store: str | None, config: str | None, show_sql: bool, source: str | None, restored: bool
) -> None:
    """Brings the store up to this version, each step in a transaction of its own; a server does the same
    when it starts. Servers of the version before can go on working on a PostgreSQL meanwhile; an SQLite
    file must not be in use."""
    if show_sql + restored + (source is not None) > 1:
        raise click.UsageError("--show-sql, --from and --restored do not go together")
    sources = gather({"store": store, CONFIG: config}, os.environ, Path.cwd())
    raw = {name: value for name, value in sources.raw.items() if name == STORE_URL.name}
    url = Table(raw, "", TOP).get(STORE_URL)
    # Only here, so that the other commands start in no time.
    from ..assembly.moving import move_store
    from ..assembly.restored import doubt_restored
    from ..assembly.store import migrate_store, migration_sql

    if restored:
        marked = asyncio.run(doubt_restored(sources.read()))
        click.echo(f"{marked:,} transactions may have been sent; the next server treats them as interrupted")
    elif source is not None:
        progress = Progress()
        click.echo(progress.end(asyncio.run(move_store(source, url, told=progress.show))))
    elif show_sql:
        click.echo(asyncio.run(migration_sql(url)), nl=False)
    else:
        click.echo(asyncio.run(migrate_store(url)))


class Progress:
    """How far a move has come, on a terminal; and what has come of it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = 0.0

    def show(self, moved: "Moved") -> None:
        now = time.monotonic()
        if now - self._shown < SHOWN_SECONDS or not sys.stderr.isatty():
            return
        self._shown = now
        speed = moved.transactions / max(now - self._began, 0.001)
        line = f"{moved.transactions:,} of {moved.count:,} transactions, {speed:,.0f} per second"
        click.echo(f"\r{line}\x1b[K", nl=False, err=True)

    def end(self, moved: "Moved") -> str:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
        return (
            f"moved {moved.transactions:,} transactions ({moved.unfinished:,} not finished), "
            f"{moved.events:,} events, {moved.body_bytes:,} bytes of bodies"
        )
