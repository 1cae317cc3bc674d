"""Where to listen, and which origin, proxies and store are meant."""

import re
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

import msgspec

from .kinds import Kind
from .table import Misplaced


class Address(msgspec.Struct, frozen=True):
    """A host and a port to listen on; port 0 is a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")


def _address(value: object) -> Address:
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[3]) > 65535:
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:8600 or [::1]:8600")
    return Address(match[1] or match[2], int(match[3]))


def _address_or_none(value: object) -> Address | None:
    return None if value == "" else _address(value)


def _origin(value: object) -> str:
    expected = "expected an origin such as https://pay.example, without a path"
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(expected)
    try:
        parts = urlsplit(value)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(expected) from None
    plain = parts.scheme in ("http", "https") and parts.hostname and port_fits and "@" not in parts.netloc
    if not plain or parts.path not in ("", "/") or "?" in value or "#" in value:
        raise ValueError(expected)
    return f"{parts.scheme}://{parts.netloc}"


def _origins(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError('expected a list of origins, such as ["https://app.example"]')
    origins = []
    for place, origin in enumerate(value):
        try:
            origins.append(_origin(origin).lower())
        except ValueError as error:
            raise Misplaced(f"[{place}]", str(error)) from None
    return tuple(origins)


_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def _hosts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError('expected a list of host names, such as ["gateway.internal"]')
    hosts = [host.lower() if isinstance(host, str) else "" for host in value]
    for place, host in enumerate(hosts):
        if not _HOST.fullmatch(host):
            raise Misplaced(f"[{place}]", "expected a host name such as gateway.internal, without a port")
    return tuple(hosts)


def _networks(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError('expected a list of networks, such as ["10.0.0.0/8"]')
    for place, network in enumerate(value):
        try:
            ip_network(network if isinstance(network, str) else "")
        except ValueError:
            raise Misplaced(f"[{place}]", "expected a network such as 10.0.0.0/8 or an address") from None
    return tuple(value)


def _list_text(text: str) -> object:
    return [part.strip() for part in text.split(",") if part.strip()]


SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql://", "postgres://")
_STORE_FORM = (
    "expected sqlite:///FILE (sqlite:////FILE where the path begins at the root) "
    "or postgresql://USER@HOST/DATABASE"
)

_UNENCODED = "in its user and password, @ : / ? and # must be written %40 %3A %2F %3F and %23"


def _store(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(_STORE_FORM)
    if value.startswith(POSTGRESQL):
        if _looks_cut(value):
            raise ValueError(_UNENCODED)
        if not value.isprintable() or " " in value or not urlsplit(value).path.strip("/"):
            raise ValueError(_STORE_FORM)
        return value
    path = value.removeprefix(SQLITE)
    if not value.startswith(SQLITE) or not path or path.endswith("/") or not path.isprintable():
        raise ValueError(_STORE_FORM)
    if ":memory:" in path or "?" in path or "#" in path:
        raise ValueError(f"expected a file on disk, without options; {_STORE_FORM}")
    return value


def _looks_cut(url: str) -> bool:
    """Whether a password seems to go on where the parser takes the host, the database or options to begin."""
    parts = urlsplit(url)
    found = parts.netloc.count("@")
    return found > 1 or "@" in parts.path + parts.fragment or (not found and "@" in parts.query)


def without_password(url: str) -> str:
    """A store's URL as it may be shown: of PostgreSQL's no password and no options, one may be there too."""
    if not url.startswith(POSTGRESQL):
        return url
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, user.partition(":")[0] + at + hosts, parts.path, "", ""))


ADDRESS = Kind("HOST:PORT", _address, metavar="HOST:PORT")
ADDRESS_OR_NONE = Kind("HOST:PORT or empty", _address_or_none, metavar="HOST:PORT")
ORIGIN = Kind("origin", _origin, metavar="URL")
ORIGINS = Kind("list of origins", _origins, _list_text, "URL,…")
HOSTS = Kind("list of host names", _hosts, _list_text, "HOST,…")
NETWORKS = Kind("list of networks", _networks, _list_text, "NETWORK,…")
STORE = Kind("URL", _store, metavar="URL")
