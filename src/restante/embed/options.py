"""What an application may say of us, and the settings that are made of it.

The settings are those of the file, as a mapping, options, or both. What is about addresses, processes and
connections is the host server's business and refused here. An upstream without a `url` is the application
itself: the default one always is.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from ..assembly.masters import read_masters
from ..config import Settings, settings
from ..config.connections import CONNECTIONS
from ..config.table import mapping
from ..core.errors import SettingError
from ..core.policy import Policy

DEFAULT = "default"
NOWHERE = "http://localhost"
"""Stands for the application where a URL must be; its requests keep the caller's Host."""

HERE = ""
"""The origin at which work reports, where none is set: the same as its own."""

HOSTS_OWN = {
    "listen": "the host server listens",
    "admin_listen": "the host server listens",
    "workers": "the host server has processes",
    "role": "an application has all of them",
    "log_level": "the application sets up logging, for the logger restante",
    "log_format": "the application sets up logging, for the logger restante",
    **dict.fromkeys((setting.name for setting in CONNECTIONS), "the host server has the connections"),
}
OF_A_CONNECTION = ("ca_file", "client_cert", "client_key", "connect_timeout", "preserve_host")


class Hosted(NamedTuple):
    """`apps` are the names of the upstreams that are the application."""

    settings: Settings
    apps: frozenset[str]


def read_options(config: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Hosted:
    """The settings; options win. Raises `SettingError`, which names the first that is wrong."""
    raw = {**mapping(config or {}, "config"), **options}
    for name in raw:
        if name in HOSTS_OWN:
            raise SettingError(name, f"cannot be set in an application: {HOSTS_OWN[name]}")
    given_events_url = raw.get("events_url")
    url = raw.get("public_url") or NOWHERE
    single, several = raw.pop("upstream", None), raw.pop("upstreams", None)
    apps = set()
    if several is None:
        raw["upstream"] = _application({} if single is None else single, "upstream", url)
        apps.add(DEFAULT)
    else:
        tables = {DEFAULT: {}, **mapping(several, "upstreams")}
        for name, table in tables.items():
            if "url" not in mapping(table, f"upstreams.{name}"):
                tables[name] = _application(table, f"upstreams.{name}", url)
                apps.add(name)
        raw |= {"upstreams": tables} if single is None else {"upstreams": tables, "upstream": single}
    if DEFAULT not in apps:
        raise SettingError("upstreams.default.url", "the default upstream is the application itself")
    read = read_masters(settings({"events_url": NOWHERE, **raw}), os.environ, Path.cwd())
    here = read.auth_mode == "open" and not read.insecure
    policy = msgspec.structs.replace(
        read.policy, here=here, events_url=read.policy.events_url if given_events_url else HERE
    )
    return Hosted(msgspec.structs.replace(read, policy=policy), frozenset(apps))


def _application(raw: object, place: str, url: object) -> dict[str, Any]:
    """The table of an upstream that is the application."""
    table = mapping(raw, place)
    for name in ("url", *OF_A_CONNECTION):
        if name in table:
            raise SettingError(f"{place}.{name}", "there is no connection to an application")
    if not isinstance(url, str) or not urlsplit(url).hostname:
        url = NOWHERE  # settings will say what is wrong with it
    return {**table, "url": url, "preserve_host": True}


def with_operations(policy: Policy, operations: Policy) -> Policy:
    """The routes and upstreams of `operations` before those of `policy`. Raises `SettingError`."""
    for name in operations.upstreams:
        if name in policy.upstreams:
            raise SettingError(f"upstreams.{name}", "is the name of an operation, too")
    return msgspec.structs.replace(
        policy,
        upstreams={**policy.upstreams, **operations.upstreams},
        routes=(*operations.routes, *policy.routes),
    )
