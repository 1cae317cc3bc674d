"""`restante torture`: real servers under faults, and whether every promise was kept."""

import math
import random
import signal
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .printing import say, say_json

if TYPE_CHECKING:
    from ..torture.places import Place

SQLITE, POSTGRESQL = "sqlite", "postgresql"
URLS = ("postgresql://", "postgres://")
SERVERS = 2
"""On PostgreSQL, unless more are asked for."""

VIOLATED, INCONCLUSIVE = 7, 8
CODES = {"held": 0, "violated": VIOLATED, "inconclusive": INCONCLUSIVE}
LEAST_MINUTES = 0.25


@click.command()
@click.option("--minutes", type=float, default=2.0, metavar="N", help="How long faults strike. Default: 2.")
@click.option(
    "--store",
    default=SQLITE,
    metavar="URL",
    help="sqlite, postgresql (one that is started for this), or the URL of an empty PostgreSQL database. "
    "Default: sqlite.",
)
@click.option(
    "--servers", type=click.IntRange(2, 16), metavar="N", help="How many share a PostgreSQL. Default: 2."
)
@click.option("--seed", type=int, metavar="N", help="Of all chance. Default: another one each time.")
@click.option(
    "--sealed", is_flag=True, help="Bodies, results and secrets are encrypted, and the files are searched."
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draws the run, as PNG or SVG.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where journals and logs are kept; it must be empty. Default: one of its own, in the system's.",
)
@click.pass_context
def torture(
    context: click.Context,
    minutes: float,
    store: str,
    servers: int | None,
    seed: int | None,
    sealed: bool,
    as_json: bool,
    plot: Path | None,
    folder: Path | None,
) -> None:
    """Starts servers, an upstream that answers as badly as upstreams do, receivers of webhooks, and clients;
    kills, stops and starves them for some minutes; then holds what all of them noted against ten laws. Exit
    code 0 only if every law held and enough happened; 7 if one was violated, 8 if too little happened."""
    # Only here, so that the other commands start in no time.
    import uvloop

    from ..torture.plan import Plan
    from ..torture.plot import NoMatplotlib, draw, pyplot
    from ..torture.report import document, report
    from ..torture.run import NotBegun
    from ..torture.run import torture as run
    from ..torture.servers import CLOCKED

    # The same way for both; a shell has its jobs in the background ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    if not LEAST_MINUTES <= minutes < math.inf:
        raise click.UsageError(
            f"--minutes: {LEAST_MINUTES:g} at least, or too little happens, and no end of them"
        )
    if servers is not None and store == SQLITE:
        raise click.UsageError("--servers: one SQLite file has one server")
    if plot is not None:
        try:
            pyplot()
        except NoMatplotlib:
            raise click.UsageError("--plot: needs matplotlib: pip install 'restante[bench]'") from None
    where = _empty(folder)
    with _place(store, where, minutes=minutes) as place:
        plan = Plan(
            seconds=60 * minutes,
            seed=random.SystemRandom().randrange(1_000_000) if seed is None else seed,
            nodes=(servers or SERVERS) if place.shared else 1,
            sealed=sealed,
        )
        clock = where / "clock"
        clock.write_text("0")
        say(f"seed {plan.seed}, journals in {where}", err=True)
        try:
            outcome = uvloop.run(
                run(
                    plan,
                    place,
                    where,
                    commands=((*CLOCKED, str(clock), "serve"),),
                    clock=clock,
                    say=lambda line: say(line, err=True),
                )
            )
        except NotBegun as error:
            raise click.ClickException(f"it could not be set up: {error}") from None
    if plot is not None:
        draw(where, plot)
    if as_json:
        say_json(document(outcome))
    else:
        say(report(outcome))
    context.exit(CODES[outcome.verdict])


def _empty(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="restante-torture-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        empty = not any(folder.iterdir())
    except OSError as error:
        raise click.UsageError(f"--folder: {folder} cannot be used: {error.strerror}") from None
    if not empty:
        raise click.UsageError(f"--folder: {folder} is not empty")
    return folder.resolve()


def _place(store: str, folder: Path, *, minutes: float) -> AbstractContextManager["Place"]:
    from ..torture.places import file_in
    from ..torture.postgres import database_at, own_database

    if store == SQLITE:
        return file_in(folder, minutes=minutes)
    if store == POSTGRESQL:
        return own_database(minutes=minutes)
    if store.startswith(URLS):
        return database_at(store)
    raise click.UsageError("--store: expected sqlite, postgresql or the URL of a PostgreSQL")
