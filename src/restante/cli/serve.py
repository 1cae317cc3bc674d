"""`restante serve`: gateway and runner in one process, or in several, until SIGTERM or Ctrl-C."""

import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

import click

from ..config import Settings
from .blocks import start_block
from .logs import set_up_logs
from .options import setting_options
from .sources import gather

log = logging.getLogger("restante")


@click.command(short_help="Stand in front of an API.")
@setting_options
@click.option(
    "--inherit", hidden=True, help="Handles of open listeners, from a process that watches over us."
)
@click.pass_context
def serve(context: click.Context, /, inherit: str | None, **flags: Any) -> None:
    """Stands in front of an API: requests below /async are stored and run in the background, everything
    else goes straight through. SIGTERM and Ctrl-C end it after what runs is finished; with several
    workers, SIGHUP replaces them one by one.

    Each flag is also a variable of the environment (RESTANTE_LISTEN) and a setting of the file."""
    sources = gather(flags, os.environ, Path.cwd())
    settings = sources.read()
    set_up_logs(settings.log_level, settings.log_format)
    if inherit is not None:
        run(
            settings, listeners=[socket.socket(fileno=int(handle)) for handle in inherit.split(",") if handle]
        )
    elif settings.workers > 1:
        context.exit(run_workers(settings, sys.argv[sys.argv.index("serve") + 1 :], file=sources.file))
    else:
        run(settings, file=sources.file)


def run(settings: Settings, *, file: str | None = None, listeners: list[socket.socket] | None = None) -> None:
    """Serves until told to stop. Says where, unless the listeners are another process's."""
    # Only here, so that the other commands start in no time.
    import uvloop

    from ..assembly import serve as serving

    def announce(addresses: list[str]) -> None:
        if listeners is None:
            click.echo(start_block(settings, addresses, file=file))
            sys.stdout.flush()
        notify("READY=1")

    leash = None if listeners is None else sys.stdin.fileno()
    uvloop.run(serving(settings, announce=announce, listeners=listeners, leash=leash))


def run_workers(settings: Settings, arguments: list[str], *, file: str | None) -> int:
    """Has several processes serve, all with the same `arguments`; the exit code."""
    import asyncio

    from ..assembly import Workers, address_of, listen_on, worker_command

    listeners = listen_on(settings)
    addresses = [address_of(listener) for listener in listeners]

    def announce() -> None:
        click.echo(start_block(settings, addresses, file=file))
        sys.stdout.flush()
        notify("READY=1")

    async def main() -> int:
        return await Workers(worker_command(arguments), settings.workers, listeners).run(announce)

    return asyncio.run(main())


def notify(state: str) -> None:
    """Tells a service manager, where there is one (sd_notify)."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.connect("\0" + name[1:] if name.startswith("@") else name)
            manager.sendall(state.encode())
    except OSError as error:
        log.warning("the service manager was not told %s: %s", state, error.strerror)
