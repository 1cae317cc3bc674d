"""`restante check`: what the settings mean, without starting anything."""

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from ..config.describe import describe
from .blocks import check_block
from .options import setting_options
from .printing import json_option
from .sources import gather


@click.command()
@setting_options
@json_option
def check(as_json: bool, **flags: Any) -> None:
    """Reads file, environment and flags as serve does, and prints what was understood. What is wrong is
    one line on standard error and exit code 2."""
    sources = gather(flags, os.environ, Path.cwd())
    settings = sources.read()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(describe(settings))).decode())
    else:
        click.echo(check_block(settings, file=sources.file))
