"""Where a webhook goes: a URL taken apart once, and what is taken from it is what is connected to and sent.

There is no second reading: host, port and path of a `Target` are handed to the look-up, the connection, TLS
and the request line as they are here. So what one reader of URLs would understand and another would not is
not understood but refused, with the reason: user names, backslashes, white space, other alphabets, IPv4 in
any spelling but four decimal numbers. One host has one spelling (WHATWG URL, "ends in a number").
"""

import re
from ipaddress import IPv6Address

import msgspec

from .addresses import IPAddress, plain_address
from .errors import AddressRefused

MAX_URL = 2000
"""Characters of a URL."""

MAX_NAME = 253
MAX_PORT = 65535
DEFAULT_PORTS = {"http": 80, "https": 443}

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?")
_VISIBLE = re.compile(r"[\x21-\x7e]*")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A URL in its parts. `host` is a name in lower case or an address; `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str
    address: IPAddress | None = None  # where the host is an address and no name

    @property
    def authority(self) -> str:
        """What goes into Host: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """The parts of `url`; raises `AddressRefused` with what is wrong with it."""
    if len(url) > MAX_URL:
        raise AddressRefused(f"the URL is longer than {MAX_URL} characters")
    if not _VISIBLE.fullmatch(url):
        raise AddressRefused(
            "the URL holds something else than visible ASCII; "
            "write a name of another alphabet as xn--…, and percent-encode the rest"
        )
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in DEFAULT_PORTS:
        raise AddressRefused("the URL must begin with https:// or http://")
    if "\\" in rest:
        raise AddressRefused("the URL must not hold a backslash")
    if "#" in rest:
        raise AddressRefused("the URL must not have a fragment: it would not be sent")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    path = rest[len(authority) :]
    host, port = _taken_apart(authority, scheme)
    address = _address(host)
    return Target(
        scheme=scheme,
        host=str(address) if address is not None else host,
        port=port,
        path=path if path.startswith("/") else "/" + path,
        address=address,
    )


def _taken_apart(authority: str, scheme: str) -> tuple[str, int]:
    if "@" in authority:
        raise AddressRefused("the URL must not hold a user name or password")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise AddressRefused("the URL's host cannot be read")
    host, port = parts[1].lower(), parts[2]
    if port is None:
        return host, DEFAULT_PORTS[scheme]
    if not _PORT.fullmatch(port) or int(port) > MAX_PORT:
        raise AddressRefused(f"the URL's port must be a number from 1 to {MAX_PORT}")
    return host, int(port)


def _address(host: str) -> IPAddress | None:
    """The address that `host` is; None where it is a name."""
    if host.startswith("["):
        try:
            return plain_address(str(IPv6Address(host[1:-1])))
        except ValueError:
            raise AddressRefused("what is in brackets must be an IPv6 address, without a zone") from None
    if host.endswith("."):
        raise AddressRefused("the URL's host must not end with a dot")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return plain_address(host)
        except ValueError:
            raise AddressRefused("an IPv4 address must be written as four decimal numbers") from None
    if len(host) > MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("the URL's host is neither a name nor an address")
    return None
