"""Which address a webhook may be sent to, if any: looked up, judged, and handed on to be connected to.

What is judged is what is connected to: an address, never a name, so nothing looks the name up a second time.
Where a name has several addresses and one of them may not be sent to, none is. Such an answer is what a
name looks like that is on its way from one address to another, and its owner shall hear of it at once and
always, not whenever chance picks the wrong one (docs/why/0011).
"""

from collections.abc import Sequence
from ipaddress import ip_network

from ..core.addresses import IPAddress, plain_address, why_not
from ..core.errors import AddressRefused
from ..core.target import Target, target_of
from .resolver import Resolve

MAX_ADDRESSES = 256
"""A name with more is refused: they are not all looked at."""

ASK = "whoever runs this server can allow it in [webhooks]"


class Guard:
    """Judges URLs by `allow`, networks, and `ports`, the first and last of each range."""

    def __init__(self, *, allow: Sequence[str], ports: Sequence[tuple[int, int]], resolve: Resolve) -> None:
        self._allow = tuple(ip_network(network) for network in allow)
        self._ports = tuple(ports)
        self._resolve = resolve

    def target(self, url: str) -> Target:
        """The URL in its parts; raises `AddressRefused` for what needs no look-up to be seen."""
        target = target_of(url)
        if not any(first <= target.port <= last for first, last in self._ports):
            raise AddressRefused(f"webhooks are not sent to port {target.port}; {ASK} ports")
        if target.address is not None:
            self._check(target, [target.address])
        return target

    async def addresses(self, target: Target) -> Sequence[IPAddress]:
        """Where `target` may be reached now, the best first, at least one.

        Raises `AddressRefused`, and `OSError` where the name is not known.
        """
        if target.address is not None:
            return (target.address,)
        found = await self._resolve(target.host)
        if not found:
            raise OSError("no addresses")
        if len(found) > MAX_ADDRESSES:
            raise AddressRefused(f"the URL's name has more than {MAX_ADDRESSES} addresses")
        try:
            addresses = list(dict.fromkeys(plain_address(text) for text in found))
        except ValueError:
            raise AddressRefused("the URL's name points to something that is no address of a host") from None
        self._check(target, addresses)
        return addresses

    def _check(self, target: Target, addresses: Sequence[IPAddress]) -> None:
        kinds = [kind for address in addresses if (kind := why_not(address, self._allow)) is not None]
        if not kinds:
            return
        if target.address is not None:
            what = "the URL's address is"
        elif len(addresses) == 1:
            what = "the URL's name points to an address that is"
        else:
            what = "one of the addresses that the URL's name points to is"
        raise AddressRefused(f"{what} not public ({kinds[0]}); {ASK} allow")
