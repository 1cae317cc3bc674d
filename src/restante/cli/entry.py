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

FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130


COMMANDS = {
    "serve": "Stand in front of an API.",
    "check": "Say how the settings are understood.",
    "migrate": "Bring the store up to this version.",
    "demo": "Try it without an API of your own.",
    "submit": "Send a request to be run in the background.",
    "show": "Show a transaction and its events.",
    "result": "Print the answer of a finished transaction.",
    "list": "List and search transactions.",
    "watch": "Follow a transaction until it ends.",
    "events": "What went on with your transactions.",
    "cancel": "Cancel a transaction.",
    "retry": "Run a finished transaction again, as a new one.",
    "resolve": "Settle by hand what has an unknown outcome.",
    "upstreams": "List, pause and resume upstreams.",
    "endpoints": "Where webhooks go.",
    "deliveries": "What was sent, and sending it again.",
    "keys": "Make, list and revoke access keys; rotate data keys.",
    "listen": "Receive webhooks, verify and print them.",
    "bench": "Measure how fast an installation is.",
    "torture": "See for yourself that it loses nothing.",
    "completion": "Print what completes these words in your shell.",
}
"""What `restante --help` says of each, in this order; for that none of them is imported."""


def command(name: str) -> click.Command | None:
    """None is imported before it is asked for: a command is to start in no time, and a server has no use for
    what a client needs."""
    match name:
        case "serve":
            from .serve import serve

            return serve
        case "check":
            from .check import check

            return check
        case "migrate":
            from .migrate import migrate

            return migrate
        case "demo":
            from .demo import demo

            return demo
        case "submit":
            from .submit import submit

            return submit
        case "show":
            from .transactions import show

            return show
        case "result":
            from .result import result

            return result
        case "list":
            from .transactions import list_all

            return list_all
        case "watch":
            from .watch import watch

            return watch
        case "events":
            from .events import events

            return events
        case "cancel":
            from .transactions import cancel

            return cancel
        case "retry":
            from .transactions import retry

            return retry
        case "resolve":
            from .transactions import resolve

            return resolve
        case "upstreams":
            from .upstreams import upstreams

            return upstreams
        case "endpoints":
            from .endpoints import endpoints

            return endpoints
        case "deliveries":
            from .deliveries import deliveries

            return deliveries
        case "keys":
            from .keys import keys

            return keys
        case "listen":
            from .listen import listen

            return listen
        case "bench":
            from .bench import bench

            return bench
        case "completion":
            from .completion import completion

            return completion
        case "torture":
            from .torture import torture

            return torture
    return None


class Commands(click.Group):
    """Those of `COMMANDS`, in that order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return command(cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="restante", message="%(prog)s %(version)s")
def restante() -> None:
    """Poste restante for HTTP APIs: put /async before a path, and the call is stored durably and run in
    the background; its answer is kept until it is called for."""


def main() -> NoReturn:
    """Runs the command line and exits."""
    if sys.stdout is None:  # closed by who started us
        fail("standard output is closed; where nobody reads it, let it be /dev/null", FAILED)
    try:
        code = restante.main(prog_name="restante", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(UNUSABLE)
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        fail(error.format_message() + where, UNUSABLE)
    except click.ClickException as error:
        fail(error.format_message(), getattr(error, "code", FAILED))  # that of a remote.Trouble
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        fail(place + (error.strerror or "an error of the operating system"), FAILED)
    except Exception as error:
        from ..config import SettingError  # only here: most commands have no settings

        if isinstance(error, SettingError):
            fail(str(error), UNUSABLE)
        raise
    sys.exit(code if isinstance(code, int) else 0)


def fail(message: str, code: int) -> NoReturn:
    """One line on standard error, then the end."""
    click.echo("restante: " + " ".join(message.split()), err=True)
    sys.exit(code)
