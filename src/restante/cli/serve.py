"""`restante serve`: gateway and runner in one process, until SIGTERM or Ctrl-C."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from ..config import Settings
from .blocks import start_block
from .logs import set_up_logs
from .options import setting_options
from .sources import gather


@click.command(short_help="Stand in front of an API.")
@setting_options
def serve(**flags: Any) -> None:
    """Stands in front of an API: requests below /async are stored and run in the background, everything
    else goes straight through. SIGTERM and Ctrl-C end it after what runs is finished.

    Each flag is also a variable of the environment (RESTANTE_LISTEN) and a setting of the file."""
    sources = gather(flags, os.environ, Path.cwd())
    settings = sources.read()
    set_up_logs(settings.log_level)
    run(settings, file=sources.file)


def run(settings: Settings, *, file: str | None = None) -> None:
    """Serves until told to stop, and says where."""
    # Only here, so that the other commands start in no time.
    import uvloop

    from ..assembly import serve as serving

    def announce(addresses: list[str]) -> None:
        click.echo(start_block(settings, addresses, file=file))
        sys.stdout.flush()

    uvloop.run(serving(settings, announce=announce))
