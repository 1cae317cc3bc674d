"""`restante migrate`: brings a store up to this version, or says how that would be done."""

import asyncio
import os
from pathlib import Path

import click

from ..config.settings import STORE_URL, TOP
from ..config.table import Table
from .sources import CONFIG, DEFAULT_FILE, gather


@click.command(short_help="Bring the store up to this version.")
@click.option("--store", metavar="URL", help="The store; without it the one of the settings.")
@click.option(
    "--config", metavar="FILE", help=f"The settings; without it {DEFAULT_FILE}, if there is one here."
)
@click.option("--show-sql", is_flag=True, help="Print what would be run on a PostgreSQL, and run nothing.")
def migrate(store: str | None, config: str | None, show_sql: bool) -> None:
    """Brings the store up to this version, each step in a transaction of its own; a server does the same
    when it starts. Servers of the version before can go on working on a PostgreSQL meanwhile; an SQLite
    file must not be in use."""
    sources = gather({"store": store, CONFIG: config}, os.environ, Path.cwd())
    raw = {name: value for name, value in sources.raw.items() if name == STORE_URL.name}
    url = Table(raw, "", TOP).get(STORE_URL)
    # Only here, so that the other commands start in no time.
    from ..assembly.store import migrate_store, migration_sql

    if show_sql:
        click.echo(asyncio.run(migration_sql(url)), nl=False)
    else:
        click.echo(asyncio.run(migrate_store(url)))
