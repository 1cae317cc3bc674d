"""`restante serve`: gateway and runner in one process, or in several, until SIGTERM or Ctrl-C."""

import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..config import Settings
from .blocks import say_start
from .logs import set_up_logs
from .options import setting_options
from .printing import json_option
from .sources import gather

log = logging.getLogger("restante")

ENDED_BADLY = 1
"""Something did not end when it was told to."""


@click.command()
@setting_options
@json_option
@click.option(
    "--inherit", hidden=True, help="Handles of open listeners, from a process that watches over us."
)
@click.pass_context
def serve(context: click.Context, /, inherit: str | None, as_json: bool, **flags: Any) -> None:
    """Stands in front of an API: requests below /async are stored and run in the background, everything
    else goes straight through. SIGTERM and Ctrl-C end it after what runs is finished; with several
    workers, SIGHUP replaces them one by one. With --json the addresses are one line of JSON.

    Each flag is also a variable of the environment (RESTANTE_LISTEN) and a setting of the file."""
    sources = gather(flags, os.environ, Path.cwd())
    settings = sources.read()
    set_up_logs(settings.log_level, settings.log_format)

    def announce(addresses: list[str]) -> None:
        if inherit is None:  # otherwise the listeners are another process's
            say_start(settings, addresses, file=sources.file, as_json=as_json)
        notify("READY=1")

    if inherit is not None:
        listeners = [socket.socket(fileno=int(handle)) for handle in inherit.split(",") if handle]
        run(settings, announce, listeners=listeners)
    elif settings.workers > 1:
        context.exit(run_workers(settings, sys.argv[sys.argv.index("serve") + 1 :], announce))
    else:
        run(settings, announce)


Announce = Callable[[list[str]], None]


def run(settings: Settings, announce: Announce, *, listeners: list[socket.socket] | None = None) -> None:
    """Serves until told to stop; says where once it does. Exits with ENDED_BADLY where something hung."""
    # Only here, so that the other commands start in no time.
    import uvloop

    from ..assembly import serve as serving

    leash = None if listeners is None else sys.stdin.fileno()
    well = uvloop.run(serving(settings, announce=announce, listeners=listeners, leash=leash))
    if not well:
        sys.exit(ENDED_BADLY)


def run_workers(settings: Settings, arguments: list[str], announce: Announce) -> int:
    """Has several processes serve, all with the same `arguments`; the exit code."""
    import asyncio

    from ..assembly import Workers, address_of, listen_on, worker_command

    listeners = listen_on(settings)
    addresses = [address_of(listener) for listener in listeners]

    async def main() -> int:
        workers = Workers(worker_command(arguments), settings.workers, listeners)
        return await workers.run(lambda: announce(addresses))

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
