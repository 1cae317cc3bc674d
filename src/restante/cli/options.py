"""A flag for each setting that stands at the top of the file, made from its declaration."""

from collections.abc import Callable
from typing import Any

import click

from ..config.kinds import FLAG
from ..config.settings import AUTH_MODE, TOP
from .sources import AUTH, CONFIG, DEFAULT_FILE, UPSTREAM, flag


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--config`, `--upstream`, `--auth-mode` and one flag per setting; what is not given is None."""
    options = [
        click.option(
            flag(UPSTREAM), metavar="URL", help="The API that does the work, such as http://127.0.0.1:9000."
        ),
        click.option(
            flag(AUTH),
            metavar=AUTH_MODE.kind.metavar,
            help=f"Who may ask; {AUTH_MODE.default} without it. See docs/operate/access.md.",
        ),
        click.option(
            flag(CONFIG),
            type=click.Path(),
            metavar="FILE",
            help=f"The settings; without it {DEFAULT_FILE}, if there is one here.",
        ),
    ]
    for setting in TOP.settings:
        help = setting.meaning[:1].upper() + setting.meaning[1:].replace("`", "") + "."
        if setting.kind is FLAG:
            both = f"{flag(setting.name)}/--no-{setting.name.replace('_', '-')}"
            options.append(click.option(both, setting.name, default=None, help=help))
        else:
            if setting.default not in (None, "", []):
                help += f" Default: {setting.default}."
            options.append(
                click.option(flag(setting.name), setting.name, metavar=setting.kind.metavar, help=help)
            )
    for option in reversed(options):
        command = option(command)
    return command
