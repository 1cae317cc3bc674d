"""`restante keys`: who may ask, in the store itself or through a server."""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from ..config.settings import STORE_URL
from .printing import Document, json_option, say, say_json
from .progress import Bar
from .remote import (
    KEY_VARIABLE,
    UNKNOWN,
    VARIABLE,
    Pages,
    Server,
    Trouble,
    id_argument,
    limit_options,
    pages,
    read_server,
)
from .sources import CONFIG, DEFAULT_FILE, gather, store_url
from .tables import Listing, pairs, show_pages

UNKNOWN_KEY = "unknown-key"
LAYOUTS = (
    ("id", "tenant", "scopes", "good", "created_at", "expires_at", "revoked_at"),
    ("id", "tenant", "good", "created_at", "scopes"),
    ("id", "good", "age", "tenant"),
)


class Place:
    """Where the keys are: in the store of the settings or, with `--server`, behind that server."""

    def __init__(self, server: Server | None, store: Callable[[], str]) -> None:
        self._server = server
        self._store = store

    def create(self, tenant: str, scopes: list[str], expires: str | None) -> Document:
        if self._server is None:
            from ..assembly import keyring

            return keyring.create(self._store(), tenant=tenant, scopes=scopes, expires=expires)
        body: Document = {"tenant": tenant, "scopes": scopes, **({"expires": expires} if expires else {})}
        return self._server.ask("POST", "keys", body=body, needs=("id", "key"))

    def pages(self, tenant: str | None, most: int | None) -> Pages:
        if self._server is not None:
            ask = partial(_listed, self._server)
            yield from pages(ask, "keys", {"tenant": tenant}, most)
            return
        from ..assembly import keyring

        left = most
        for page in keyring.pages(self._store(), tenant=tenant):
            yield page[:left], left is not None and len(page) > left
            if left is not None and (left := left - len(page)) < 0:
                return

    def revoke(self, id: str) -> Document:
        found: Document | None
        if self._server is None:
            from ..assembly import keyring

            found = keyring.revoke(self._store(), id)
        else:
            try:
                path = f"keys/{quote(id, safe='')}/revoke"
                found = self._server.ask("POST", path, needs=("id", "revoked_at"))
            except Trouble as trouble:
                if trouble.problem != UNKNOWN_KEY:
                    raise
                found = None
        if found is None:
            raise Trouble(f"there is no key {id}; restante keys list shows them", UNKNOWN)
        return found


def _listed(server: Server, query: str) -> Document:
    return server.ask("GET", f"keys{query}", needs=("keys", "next"))


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds where the keys are; the command is given a `Place`."""

    def with_place(
        store: str | None, config: str | None, server: str | None, key: str | None, **given: Any
    ) -> Any:
        there = None if server is None else read_server(server, key)
        return command(place=Place(there, partial(store_url, store, config)), **given)

    with_place.__doc__ = command.__doc__
    with_place.__name__ = command.__name__
    for option in (
        click.option(
            "--key", metavar="KEY", envvar=KEY_VARIABLE, help="With --server: a key of scope operate."
        ),
        click.option(
            "--server", metavar="URL", envvar=VARIABLE, help="Through this server, not in the store itself."
        ),
        click.option(
            "--config",
            CONFIG,
            type=click.Path(),
            metavar="FILE",
            help=f"The settings. Default: {DEFAULT_FILE}, if there is one.",
        ),
        click.option("--store", metavar="URL", help="The store; without it the one of the settings."),
    ):
        with_place = option(with_place)
    return with_place


@click.group()
def keys() -> None:
    """Access keys, for servers with auth.mode = "keys". Whoever can open the store may make them, also while
    a server runs. With --server a key of scope operate is needed, and one tenant's has that tenant's only."""


@keys.command(short_help="Make a key.")
@click.option(
    "--tenant", required=True, metavar="TENANT", help="Whose transactions it is for; * for all of them."
)
@click.option("--scopes", required=True, metavar="SCOPE,…", help="Some of submit, read and operate.")
@click.option(
    "--expires", metavar="DURATION", help="For how long it is good, such as 90d. Default: for ever."
)
@json_option
@place_options
def create(tenant: str, scopes: str, expires: str | None, as_json: bool, place: Place) -> None:
    """Prints a new key. It is shown this once."""
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    document = place.create(tenant, wanted, expires)
    if as_json:
        say_json(document)
    else:
        say(str(document["key"]))


@keys.command("list", short_help="List keys.")
@click.option("--tenant", metavar="TENANT", help="Of this tenant only.")
@limit_options
@json_option
@place_options
def list_all(tenant: str | None, most: int | None, as_json: bool, place: Place) -> None:
    """Prints keys, the newest first: never what they are asked with. With --json each is one line."""
    show_pages(place.pages(tenant, most), Listing(*LAYOUTS), as_json=as_json)


@keys.command(short_help="Revoke a key.")
@id_argument
@json_option
@place_options
def revoke(id: str, as_json: bool, place: Place) -> None:
    """Makes the key ID good for nothing: when this returns, no server takes it. Again is no error."""
    document = place.revoke(id)
    if as_json:
        say_json(document)
    else:
        say(pairs(document))


@keys.command("rotate-data", short_help="Bring data keys under a new master key.")
@click.option(
    "--config",
    CONFIG,
    type=click.Path(),
    metavar="FILE",
    help=f"The settings. Default: {DEFAULT_FILE}, if there is one.",
)
@click.option("--store", metavar="URL", help="The store; without it the one of the settings.")
@json_option
def rotate_data(store: str | None, config: str | None, as_json: bool) -> None:
    """Seals under the first of sealing.keys what is under another of them: the data keys in sealing.folder
    and the secrets of endpoints. Servers may be at work, if they were started with both keys. When it has
    said that it is done, the old master key can be taken out. Broken off, it is begun again."""
    from ..assembly.sealing import rotate

    settings = gather({STORE_URL.name: store, CONFIG: config}, os.environ, Path.cwd()).read()
    with Bar() as bar:

        def told(what: str, done: int, count: int) -> None:
            bar.move(done, count, what)

        data_keys, endpoints = asyncio.run(rotate(settings, told=told))
    if as_json:
        say_json({"data_keys": data_keys, "endpoints": endpoints})
    else:
        say(f"sealed anew: {data_keys} data keys, the secrets of {endpoints} endpoints")
