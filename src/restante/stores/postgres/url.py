"""The store's URL: `postgresql://USER:PASSWORD@HOST[:PORT][,HOST…]/DATABASE[?option=value&…]`.

All of it is the driver's (libpq's form), but for one option that is ours: `pooler=on` says that a pooler in
transaction mode stands between. Then nothing is asked of a session, no notifications are listened for, and
the store is looked into more often instead.
"""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from ...core.errors import SettingError

SCHEMES = ("postgresql", "postgres")
POOLER = "pooler"


class Target(msgspec.Struct, frozen=True):
    """Where to connect to. `shown` is the URL without its password."""

    url: str
    shown: str
    pooled: bool


def read_url(url: str) -> Target:
    """What a store URL means; raises `SettingError`, which never shows a password."""
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        raise SettingError("store", "expected postgresql://USER@HOST/DATABASE") from None
    if parts.scheme not in SCHEMES or not parts.path.strip("/"):
        raise SettingError("store", "expected postgresql://USER@HOST/DATABASE")
    pooler = dict(options).get(POOLER, "off")
    if pooler not in ("on", "off"):
        raise SettingError("store", f"{POOLER} must be on or off")
    rest = [(name, value) for name, value in options if name != POOLER]
    real = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(rest), ""))
    user, at, hosts = parts.netloc.rpartition("@")
    shown = urlunsplit(("postgresql", user.partition(":")[0] + at + hosts, parts.path, "", ""))
    return Target(real, shown, pooler == "on")
