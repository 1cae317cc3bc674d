"""The origin (scheme and host) that a caller used, for the URLs we hand out."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from ..core.errors import BadRequest
from ..core.headers import first
from ..core.policy import Policy
from .call import Ends, Fields

_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,253}|\[([0-9A-Fa-f:.]{2,45})\])(?::(\d{1,5}))?", re.ASCII)
MAX_PORT = 65535


class Origins:
    """`public_url`, or `X-Forwarded-*` from a trusted proxy, or the connection's scheme and `Host`."""

    def __init__(self, policy: Policy) -> None:
        self._public = policy.public_url.rstrip("/") if policy.public_url else None
        self._trusted = tuple(ip_network(network, strict=False) for network in policy.trusted_proxies)

    def of(self, ends: Ends, headers: Fields, host: bytes) -> str:
        """Raises `BadRequest` where `host`, the value of the field, is none."""
        if self._public is not None:
            origin("", host)
            return self._public
        if self._trusted and self._trusts(ends.get("client")):
            forwarded = _last(first(headers, b"x-forwarded-proto")).lower()
            scheme = forwarded.decode() if forwarded in (b"http", b"https") else ends["scheme"]
            return origin(scheme, _last(first(headers, b"x-forwarded-host")) or host)
        return origin(ends["scheme"], host)

    def below(self, scope: Ends, headers: Fields, host: bytes) -> str:
        """The same, followed by the path at which somebody else's server has us, if that is not its root."""
        return self.of(scope, headers, host) + str(scope.get("root_path", "")).rstrip("/")

    def _trusts(self, client: tuple[str, int] | None) -> bool:
        if client is None:
            return False
        try:
            address = ip_address(client[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._trusted)


@lru_cache(maxsize=1024)
def origin(scheme: str, host: bytes) -> str:
    """`scheme://host`; raises `BadRequest` where `host` is not `name[:port]` or `[v6][:port]`."""
    text = host.decode("latin-1")
    match = _HOST.fullmatch(text)
    if match is None or (match[1] and not _is_ipv6(match[1])) or int(match[2] or 0) > MAX_PORT:
        raise BadRequest("Host must name the host, and port, that was called", field="Host")
    return f"{scheme}://{text}"


def _last(value: bytes | None) -> bytes:
    """Of a list, the entry that the nearest proxy wrote."""
    return (value or b"").rpartition(b",")[2].strip()


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
