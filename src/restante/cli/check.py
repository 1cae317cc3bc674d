"""`restante check`: what the settings mean, without starting anything."""

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from ..config.describe import describe
from .blocks import check_block
from .options import setting_options
from .sources import gather


@click.command(short_help="Say how the settings are understood.")
@setting_options
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def check(as_json: bool, **flags: Any) -> None:
    """Reads file, environment and flags as serve does, and prints what was understood. What is wrong is
    one line on standard error and exit code 2."""
    sources = gather(flags, os.environ, Path.cwd())
    settings = sources.read()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(describe(settings))).decode())
    else:
        click.echo(check_block(settings, file=sources.file))
