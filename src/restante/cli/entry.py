"""The commands as one group, and what every failure looks like: one line, and an exit code.

0    done, or ended by SIGTERM or Ctrl-C after draining
1    something went wrong while running
2    a setting, a flag, a port or a store that cannot be used, or a request that the server refuses
130  Ctrl-C anywhere else

Those of the commands that talk to a server stand in remote.py.
"""

import os
import sys
from typing import NoReturn

import click

from .. import __version__
from ..config import SettingError
from .check import check
from .demo import demo
from .listen import listen
from .migrate import migrate
from .remote import Trouble
from .result import result
from .serve import serve
from .submit import submit
from .transactions import cancel, list_all, resolve, retry, show
from .upstreams import upstreams
from .watch import watch

FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="restante", message="%(prog)s %(version)s")
def restante() -> None:
    """Poste restante for HTTP APIs: put /async before a path, and the call is stored durably and run in
    the background; its answer is kept until it is called for."""


for command in (
    serve,
    check,
    migrate,
    demo,
    submit,
    show,
    result,
    list_all,
    watch,
    cancel,
    retry,
    resolve,
    upstreams,
    listen,
):
    restante.add_command(command)


def main() -> NoReturn:
    """Runs the command line and exits."""
    try:
        code = restante.main(prog_name="restante", standalone_mode=False)
    except SettingError as error:
        fail(str(error), UNUSABLE)
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        fail(error.format_message() + where, UNUSABLE)
    except Trouble as error:
        fail(error.message, error.code)
    except click.ClickException as error:
        fail(error.format_message(), FAILED)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        fail(place + (error.strerror or "an error of the operating system"), FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def fail(message: str, code: int) -> NoReturn:
    """One line on standard error, then the end."""
    click.echo("restante: " + " ".join(message.split()), err=True)
    sys.exit(code)
