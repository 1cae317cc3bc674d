"""`restante demo`: two small APIs, a gateway in front of them, and callers who keep it busy."""

import asyncio
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from ..config import Settings, settings
from ..config.settings import LISTEN
from .blocks import demo_block, say_start
from .logs import set_up_logs
from .printing import json_option


@click.command()
@click.option("--listen", default=str(LISTEN.default), metavar="HOST:PORT", help="Where the gateway listens.")
@click.option("--store", metavar="URL", help="Keep transactions there; otherwise they are thrown away.")
@click.option("--traffic/--no-traffic", default=True, help="Whether callers keep it busy. Default: they do.")
@click.option("--insecure", is_flag=True, help="Allows an address that others can reach.")
@json_option
def demo(listen: str, store: str | None, traffic: bool, insecure: bool, as_json: bool) -> None:
    """Starts a payment API and a ticket API, both made up, on a port of their own; a gateway in front of
    them; and callers who make a few requests a second. Prints the addresses and calls to paste. Ctrl-C
    ends it. With --json the addresses are one line of JSON."""
    set_up_logs("warning")
    with tempfile.TemporaryDirectory(prefix="restante-demo-") as folder, _apis() as url:
        store = store or f"sqlite:///{Path(folder, 'demo.db')}"
        read = settings(
            {
                "listen": listen,
                "store": store,
                "insecure": insecure,
                "grace": "5s",
                **_in_front_of(url, listen),
            }
        )
        _run(read, url, traffic=traffic, as_json=as_json)


def _in_front_of(url: str, listen: str) -> dict[str, object]:
    """The part of the configuration that is worth a look: what both seeds' APIs would be given. Reports
    need an address that is known beforehand, so not a free port."""
    reports = not listen.endswith(":0")
    return {
        **({"events_url": f"http://{listen}"} if reports else {}),
        "upstream": {"url": url, "preserve_host": True, "timeout": "330s"},
        "routes": [
            {
                "match": "POST /channel/v0/tickets",
                "dialect": "transaction",
                "transactions": "/seller/v0/transactions",
                "operation": "create",
                "data": {"ticket_id": "/id"},
                "messages": {
                    "completed": "Criação de ticket bem sucedida",
                    "failed": "Falha na criação de ticket",
                },
            },
            {
                "match": "POST /transactions/*",
                "tracking_id": "/request/tracking_id",
                "deferred": reports,
                "interrupted": "reconcile",
                "lookup": "GET /v2/transactions/tracking_id/{tracking_id}",
                "found": "/transactions/0/uid",
                "answer": "/transactions/0",
            },
        ],
    }


def _run(read: Settings, url: str, *, traffic: bool, as_json: bool) -> None:
    # Only here, so that the other commands start in no time.
    import uvloop

    from ..assembly import serve
    from ..demo import SECRET_KEY, SHOP_ID
    from ..demo.traffic import Traffic

    shop = f"{SHOP_ID}:{SECRET_KEY}"

    async def run() -> None:
        callers: list[asyncio.Task[None]] = []

        def announce(addresses: list[str]) -> None:
            calls_to_paste = demo_block(addresses[0], shop=shop, traffic=traffic)
            say_start(read, addresses, file=None, as_json=as_json, more="\n" + calls_to_paste)
            if traffic:
                calls = Traffic(f"http://{addresses[0]}", shop=shop)
                callers.append(asyncio.get_running_loop().create_task(calls.run()))

        try:
            await serve(read, announce=announce)
        finally:
            for task in callers:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    uvloop.run(run())


@contextmanager
def _apis() -> Iterator[str]:
    """Both demo APIs on a free port, in a thread of their own; their URL."""
    import uvicorn

    from ..demo import apps

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        apps(moderation_seconds=2.0, deferring=True),
        log_config=None,
        log_level="warning",
        lifespan="off",
        access_log=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(timeout=5)
