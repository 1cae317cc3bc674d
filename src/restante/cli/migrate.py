"""`restante migrate`: brings a store up to this version, says how that would be done, or moves one."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import to_builtins

from ..config.settings import STORE_URL, TOP
from ..config.table import Table
from .printing import Document, json_option, say, say_json
from .progress import Bar
from .sources import CONFIG, DEFAULT_FILE, gather

if TYPE_CHECKING:
    from ..assembly.moving import Moved


@click.command()
@click.option("--store", metavar="URL", help="The store; without it the one of the settings.")
@click.option(
    "--config",
    type=click.Path(),
    metavar="FILE",
    help=f"The settings; without it {DEFAULT_FILE}, if there is one here.",
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
@json_option
def migrate(
    store: str | None,
    config: str | None,
    show_sql: bool,
    source: str | None,
    restored: bool,
    as_json: bool,
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
        said = f"{marked:,} transactions may have been sent; the next server treats them as interrupted"
        _say({"interrupted": marked}, said, as_json=as_json)
    elif source is not None:
        with Bar() as bar:

            def told(moved: "Moved") -> None:
                bar.move(moved.transactions, moved.count, "transactions")

            moved = asyncio.run(move_store(source, url, told=told))
        _say(to_builtins(moved), _said(moved), as_json=as_json)
    elif show_sql:
        sql = asyncio.run(migration_sql(url))
        if as_json:
            say_json({"sql": sql})
        else:
            click.echo(sql, nl=False)
    else:
        done = asyncio.run(migrate_store(url))
        _say({"store": done}, done, as_json=as_json)


def _say(document: Document, text: str, *, as_json: bool) -> None:
    if as_json:
        say_json(document)
    else:
        say(text)


def _said(moved: "Moved") -> str:
    return (
        f"moved {moved.transactions:,} transactions ({moved.unfinished:,} not finished), "
        f"{moved.events:,} events, {moved.body_bytes:,} bytes of bodies"
    )
